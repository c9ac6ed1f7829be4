import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { Nl2codeError } from '../../session/error-table.js';
import type { SandboxSpec } from '../backend.js';
import type { SandboxRuntime } from './runtime.js';

/** What the supervisor said on its ready descriptor. */
export type Started =
  | { ok: true; hashSeed: number; memoryLimit: 'cgroup' | 'watcher' | 'none' }
  | { ok: false; code: 'locked' | 'failed'; message: string };

export interface SupervisorStart {
  spec: SandboxSpec;
  /** Name the guest's ledger goes by. */
  session: string;
  hashSeed: number;
  /** Runs instead of the guest. */
  command?: string[];
}

const START_MS = 20_000;
const READY_FD = 3;

/** Starts the detached supervisor of one sandbox and waits until the sandbox stands or can't. The process outlives this one. */
export async function startSupervisor(
  runtime: SandboxRuntime,
  start: SupervisorStart,
): Promise<{ started: Started; process: ChildProcess }> {
  const { spec } = start;
  const log = openSync(
    join(spec.folder, 'run', 'supervisor.log'),
    constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW,
    0o600,
  );
  let child: ChildProcess;
  try {
    child = spawn(runtime.python, ['-s', '-P', '-S', '-m', 'nl2code_supervisor'], {
      cwd: '/',
      // Nothing of this process's environment: the sandbox's first process could read it.
      env: { PATH: '/usr/bin:/bin', PYTHONPATH: runtime.guestDir },
      detached: true,
      stdio: ['pipe', log, log, 'pipe'],
    });
  } finally {
    closeSync(log);
  }
  child.stdin!.on('error', () => undefined);
  child.stdin!.end(JSON.stringify(wireSpec(runtime, start)));
  const started = await ready(child, spec.folder);
  child.unref();
  return { started, process: child };
}

function wireSpec(runtime: SandboxRuntime, { spec, session, hashSeed, command }: SupervisorStart): object {
  return {
    id: spec.id,
    session,
    folder: spec.folder,
    isolation: spec.isolation,
    bwrap: runtime.bwrap ?? '/usr/bin/bwrap',
    seccomp: runtime.seccomp ?? '/dev/null',
    venv: runtime.venv,
    prefixes: runtime.prefixes,
    guest: runtime.guestDir,
    mounts: spec.mounts,
    pythonPath: spec.pythonPath,
    limits: spec.limits,
    hashSeed,
    leaseMs: Math.ceil(spec.leaseMs),
    warm: spec.warm,
    durability: spec.durability,
    ...(command ? { command } : {}),
  };
}

function ready(child: ChildProcess, folder: string): Promise<Started> {
  const pipe = child.stdio[READY_FD] as Readable;
  return new Promise((resolve, reject) => {
    let text = '';
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      done(() => reject(new Nl2codeError('sandbox-lost', `The sandbox did not start within ${START_MS / 1000} s.`)));
    }, START_MS);
    const done = (settle: () => void) => {
      clearTimeout(timer);
      pipe.destroy();
      settle();
    };
    pipe.setEncoding('utf8');
    pipe.on('data', (chunk: string) => (text += chunk).endsWith('\n') && pipe.emit('end'));
    pipe.on('error', () => undefined);
    pipe.once('end', () => done(() => resolve(parse(text, folder))));
    child.once('error', (error) => done(() => resolve({ ok: false, code: 'failed', message: error.message })));
  });
}

function parse(text: string, folder: string): Started {
  try {
    return JSON.parse(text) as Started;
  } catch {
    return {
      ok: false,
      code: 'failed',
      message: `The supervisor ended before the sandbox stood: ${lastWords(folder)}`,
    };
  }
}

/** The end of the supervisor's own log. */
function lastWords(folder: string): string {
  try {
    return (
      readFileSync(join(folder, 'run', 'supervisor.log'), 'utf8')
        .trim()
        .slice(-500) || 'it said nothing'
    );
  } catch {
    return 'its log is gone';
  }
}
