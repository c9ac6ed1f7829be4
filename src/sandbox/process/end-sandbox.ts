import { rmSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Nl2codeError } from '../../session/error-table.js';
import {
  bootId,
  processAlive,
  processUid,
  readRunState,
  runOwner,
  type ProcessName,
  type RunState,
} from './run-state.js';

const POLITE_MS = 3_000;
const FORCED_MS = 5_000;

/**
 * Ends the sandbox in `folder`, whoever started it: the supervisor is asked, then killed, and the sandbox's first process
 * with it. Returns when no process, socket or control group is left. Does nothing for a sandbox that is gone.
 */
export async function endSandbox(folder: string): Promise<void> {
  const state = readRunState(folder);
  if (state && state.bootId === bootId()) await endProcesses(folder, state);
  rmSync(join(folder, 'run', 's.sock'), { force: true });
  if (state) removeCgroups(state);
}

async function endProcesses(folder: string, state: RunState): Promise<void> {
  const owner = runOwner(folder);
  const supervisor: ProcessName = { pid: state.pid, startTime: state.startTime };
  const first: ProcessName | null =
    state.childPid === null ? null : { pid: state.childPid, startTime: state.childStartTime };
  const ours = [supervisor, ...(first ? [first] : [])].filter((process) => isOurs(process, owner));
  const alive = () => ours.some(processAlive);
  if (ours.includes(supervisor)) {
    signal(supervisor, 'SIGTERM');
    if (await until(() => !alive(), POLITE_MS)) return;
  }
  for (const process of ours) signal(process, 'SIGKILL');
  if (!(await until(() => !alive(), FORCED_MS))) {
    throw new Nl2codeError(
      'sandbox-lost',
      `The processes ${ours.map(({ pid }) => pid).join(' and ')} of the sandbox in ${folder} could not be ended.`,
    );
  }
}

/** The state file belongs to the sandbox's uid, so it must not make us signal a process of another. */
function isOurs(process: ProcessName, owner: number | null): boolean {
  if (!processAlive(process)) return false;
  return globalThis.process.platform !== 'linux' || (process.startTime !== null && processUid(process.pid) === owner);
}

function signal(target: ProcessName, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    if (processAlive(target)) process.kill(target.pid, name);
  } catch {
    // it ended by itself in between
  }
}

async function until(done: () => boolean, withinMs: number): Promise<boolean> {
  const end = performance.now() + withinMs;
  for (let pause = 1; performance.now() < end; pause = Math.min(20, pause * 2)) {
    if (done()) return true;
    await delay(pause);
  }
  return done();
}

/** Empty groups that only root may remove; one that is in use stays. */
function removeCgroups(state: RunState): void {
  for (const path of state.cgroups) {
    if (!/^\/sys\/fs\/cgroup\/(?!.*\.\.).*nl2code/.test(path)) continue;
    try {
      rmdirSync(path);
    } catch {
      continue;
    }
  }
}
