import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** `run/state.json` as the supervisor writes it. A pointer: what it names is checked against the kernel before anything is done to it. */
export interface RunState {
  pid: number;
  startTime: number | null;
  childPid: number | null;
  childStartTime: number | null;
  bootId: string;
  isolation: string;
  memoryLimit: string;
  uid: number;
  hashSeed: number;
  cgroups: string[];
  kills: number;
  killedBecause: string | null;
  endedBecause: string | null;
}

/** A process by pid and start time, which together name it for ever. */
export interface ProcessName {
  pid: number;
  startTime: number | null;
}

/** Reads the state of the sandbox in `folder`; null when there is none or it is not whole. Host only. */
export function readRunState(folder: string): RunState | null {
  try {
    const raw = JSON.parse(readFileSync(join(folder, 'run', 'state.json'), 'utf8')) as Partial<RunState>;
    const whole =
      isPid(raw.pid) &&
      (raw.childPid == null || isPid(raw.childPid)) &&
      Number.isInteger(raw.uid) &&
      Number.isInteger(raw.hashSeed) &&
      Array.isArray(raw.cgroups);
    return whole ? (raw as RunState) : null;
  } catch {
    return null;
  }
}

const isPid = (value: unknown): value is number => Number.isInteger(value) && (value as number) > 1;

/** Whether the supervisor of this state still runs. */
export function supervisorAlive(state: RunState): boolean {
  return state.bootId === bootId() && processAlive({ pid: state.pid, startTime: state.startTime });
}

/** Whether a process lives (a zombie does not). Without /proc the pid alone has to do. */
export function processAlive({ pid, startTime }: ProcessName): boolean {
  if (process.platform !== 'linux') {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  }
  const found = processStat(pid);
  return (
    found !== null &&
    found.state !== 'Z' &&
    found.state !== 'X' &&
    (startTime === null || found.startTime === startTime)
  );
}

/** Start time of this machine's process `pid`, null when it is gone or there is no /proc. */
export function processStartTime(pid: number): number | null {
  return processStat(pid)?.startTime ?? null;
}

/** Real uid of a process, null when it is gone. */
export function processUid(pid: number): number | null {
  try {
    const line = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return line ? Number(line[1]) : null;
  } catch {
    return null;
  }
}

function processStat(pid: number): { state: string; startTime: number } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', startTime: Number(fields[19]) };
  } catch {
    return null;
  }
}

let boot: string | undefined;

/** Identity of this boot of the machine, '' where it has none. */
export function bootId(): string {
  if (boot === undefined) {
    try {
      boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    } catch {
      boot = '';
    }
  }
  return boot;
}

/** Who owns `run/`: the only uid whose processes its state may name. */
export function runOwner(folder: string): number | null {
  try {
    return statSync(join(folder, 'run')).uid;
  } catch {
    return null;
  }
}
