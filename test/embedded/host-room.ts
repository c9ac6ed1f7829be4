import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { resolveConfig, type ResolvedConfig } from '../../src/config.js';
import type { HostEvent, HostOptions } from '../../src/embedded/host.js';
import type { HostRecord } from '../../src/embedded/host-record.js';
import { onLine } from '../../src/embedded/lines.js';
import { identityOf, isAlive, type ProcessIdentity } from '../../src/embedded/process-identity.js';

const here = (name: string) => fileURLToPath(new URL(`./${name}`, import.meta.url));

/** Real server and scripted model, a worker that needs no Temporal. */
export const entries = { worker: here('stand-in-worker.mjs') };

/** One data directory with everything that came to life for it; `close` ends what a failed test left. */
export class HostRoom {
  readonly folder = mkdtempSync(join(tmpdir(), 'nl2code-host-'));
  private readonly children: ChildProcess[] = [];
  private readonly seen = new Map<number, ProcessIdentity>();

  config(change: Partial<ResolvedConfig> = {}): ResolvedConfig {
    const base = resolveConfig({ flags: {}, env: { NL2CODE_DATA_DIR: join(this.folder, 'data'), HOME: this.folder }, cwd: this.folder });
    return { ...base, temporal: { mode: 'embedded', port: 0, uiPort: null }, ...change };
  }

  /** A process that attaches and holds on. */
  client(config: ResolvedConfig, options: object = { embed: true, host: { entries } }, env: NodeJS.ProcessEnv = {}) {
    const child = this.spawn('client.mjs', { CLIENT: JSON.stringify({ config, options }), ...env });
    return { child, said: lines<{ address: string; modelUrl: string; hostPid: number; workers: number[]; failed?: string }>(child), leave: () => child.stdin!.write('go\n') };
  }

  /** An `up` process. */
  up(config: ResolvedConfig, options: Partial<HostOptions> = { entries }, env: NodeJS.ProcessEnv = {}) {
    const child = this.spawn('up.mjs', { UP: JSON.stringify({ config, options }), ...env });
    return { child, said: lines<HostEvent | { kind: 'refused'; message: string }>(child) };
  }

  /** What host.json says now; remembers every process in it. */
  record(config: ResolvedConfig): HostRecord | null {
    let record: HostRecord;
    try {
      record = JSON.parse(readFileSync(join(config.dataDir, 'host.json'), 'utf8')) as HostRecord;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
    for (const identity of [...record.children, identityOf(record.pid)]) if (identity !== null) this.seen.set(identity.pid, identity);
    return record;
  }

  /** Processes seen in host.json that still run. */
  survivors(): number[] {
    return [...this.seen.values()].filter(isAlive).map(({ pid }) => pid);
  }

  close(): void {
    for (const child of this.children) child.kill('SIGKILL');
    this.record(this.config());
    for (const pid of this.survivors()) kill(pid);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private spawn(name: string, env: NodeJS.ProcessEnv): ChildProcess {
    const child = spawn(process.execPath, [here(name)], { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin!.on('error', () => undefined);
    this.children.push(child);
    return child;
  }
}

/** Lines of JSON that a process prints, one per call; null at its end. */
function lines<T>(child: ChildProcess): () => Promise<T | null> {
  const ready: (T | null)[] = [];
  let wake = () => {};
  onLine(child.stdout!, (line) => {
    ready.push(JSON.parse(line) as T);
    wake();
  });
  child.stdout!.on('close', () => {
    ready.push(null);
    wake();
  });
  return async () => {
    while (ready.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return ready[0] === null ? null : ready.shift()!;
  };
}

/** SIGKILL, also for a process that is gone. */
export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}

export const exitCode = (child: ChildProcess): Promise<number | null> => (child.exitCode !== null || child.signalCode !== null ? Promise.resolve(child.exitCode) : new Promise((resolve) => child.once('exit', (code) => resolve(code))));

/** Resolves with the first answer that is neither null nor false; throws after twenty seconds, naming what never came. */
export async function until<T>(what: string, ask: () => T | null | false | Promise<T | null | false>): Promise<T> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const answer = await ask();
    if (answer !== null && answer !== false) return answer;
    if (performance.now() > deadline) throw new Error(`${what} did not come`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Whether something accepts connections at host:port. */
export function answers(address: string): Promise<boolean> {
  const [host, port] = address.split(':');
  return new Promise((resolve) => {
    const socket = connect(Number(port), host!);
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false)).on('close', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}
