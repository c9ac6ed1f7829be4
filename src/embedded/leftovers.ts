import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { recordedChildren } from './host-record.js';
import { identityOf, isAlive, type ProcessIdentity } from './process-identity.js';

const END_TIMEOUT_MS = 5000;

/**
 * Ends what a killed host of this data directory left: the children it wrote down, and every Temporal server on this database file,
 * written down or not (two of them on one file would both write). Sandboxes are left alone: sessions attach to them again.
 * The caller holds the host lock. Returns the pids it ended.
 */
export async function endLeftovers(dataDir: string, dbFile: string): Promise<number[]> {
  const left = [...recordedChildren(dataDir).filter(isAlive), ...serversOf(dbFile)];
  const unique = [...new Map(left.map((each) => [each.pid, each])).values()];
  for (const { pid } of unique) end(pid);
  const deadline = performance.now() + END_TIMEOUT_MS;
  while (unique.some(isAlive) && performance.now() < deadline) await delay(5);
  return unique.map(({ pid }) => pid);
}

/** SIGKILL is safe for all of them: the database is written ahead, and workers' attempts are made to be lost. */
function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Ended by itself meanwhile, or another user's: then the port check says so.
  }
}

/** Temporal servers started on that database file, by their command line. */
function serversOf(dbFile: string): ProcessIdentity[] {
  const found: ProcessIdentity[] = [];
  for (const [pid, argv] of commandLines()) {
    const isServer = argv.includes('start-dev') && argv.includes(dbFile);
    const identity = isServer && pid !== process.pid ? identityOf(pid) : null;
    if (identity !== null) found.push(identity);
  }
  return found;
}

function commandLines(): [number, string[]][] {
  if (process.platform === 'linux') {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map((pid) => [Number(pid), argvOf(pid)]);
  }
  const lines = execFileSync('ps', ['-axww', '-o', 'pid=,command='], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 }).split('\n');
  return lines.map((line): [number, string[]] => [Number.parseInt(line, 10), line.trim().split(' ').slice(1)]);
}

function argvOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
