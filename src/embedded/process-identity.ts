import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';

/** One process for ever: a pid is used again after its process has ended, a pid with its start time is not. */
export interface ProcessIdentity {
  pid: number;
  /** Opaque; compared, never read. Holds the boot it belongs to. */
  startTime: string;
}

/** Who runs under that pid now, or null. A process that has ended entirely is nobody, reaped or not. Host side; on Linux reads `/proc`, elsewhere runs `ps`. */
export function identityOf(pid: number): ProcessIdentity | null {
  const startTime = process.platform === 'linux' ? fromProc(pid) : fromPs(pid);
  return startTime === null ? null : { pid, startTime };
}

/** Whether exactly this process still runs. */
export function isAlive({ pid, startTime }: ProcessIdentity): boolean {
  return identityOf(pid)?.startTime === startTime;
}

/** Whether a value read from a file has the shape of an identity. */
export function isIdentity(value: unknown): value is ProcessIdentity {
  const { pid, startTime } = (value ?? {}) as Partial<ProcessIdentity>;
  return Number.isSafeInteger(pid) && (pid as number) > 0 && typeof startTime === 'string';
}

let boot: string | undefined;

function fromProc(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name stands in parentheses and may hold spaces and parentheses itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // The first thread of a killed process is a zombie while others still hold its ports and files.
    if (fields[0] === 'X' || (fields[0] === 'Z' && readdirSync(`/proc/${pid}/task`).length <= 1)) return null;
    boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot}:${fields[19]}`;
  } catch {
    return null;
  }
}

function fromPs(pid: number): string | null {
  try {
    const [state = '', ...started] = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim().split(/\s+/);
    return state === '' || state.startsWith('Z') ? null : started.join(' ');
  } catch {
    return null;
  }
}
