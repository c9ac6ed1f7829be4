import type { ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { Nl2codeError } from '../session/error-table.js';
import { identityOf, type ProcessIdentity } from './process-identity.js';

/*
 * A child that is started again whenever it dies, until it is stopped. We own when it runs; the launcher owns what it is.
 * 1. At most one child of a keeper runs at a time.
 * 2. After `stop` has returned none runs and none will.
 * 3. A child that never became ready `FIRST_ATTEMPTS` times in a row ends the attempt with its own last words; later deaths never do.
 */
export interface KeptProcessOptions {
  /** For people: "worker 1". */
  name: string;
  launch(): ChildProcess;
  /** Resolves when the child does its work; the wait ends with the child or with `signal`. */
  ready(child: ChildProcess, signal: AbortSignal): Promise<void>;
  /** The last lines it wrote, for the sentence when it can't be started. */
  lastWords(): string;
  /** From SIGTERM to SIGKILL. */
  graceMs: number;
  onEvent(event: KeptProcessEvent): void;
}

export type KeptProcessEvent =
  | { kind: 'process-started'; name: string; pid: number }
  | { kind: 'process-died'; name: string; pid: number | null; code: number | null; signal: string | null; againInMs: number };

const FIRST_ATTEMPTS = 3;
const BACK_OFF_MS = [0, 200, 1000, 5000];
const HEALTHY_MS = 10_000;
const READY_TIMEOUT_MS = 30_000;

/** Keeps one child process running. Host side. */
export class KeptProcess {
  private readonly stopping = new AbortController();
  private child: ChildProcess | null = null;
  private kept: Promise<void> | null = null;
  private identity: ProcessIdentity | null = null;

  constructor(private readonly options: KeptProcessOptions) {}

  /** The running child, also before it is ready. */
  get current(): ProcessIdentity | null {
    return this.identity;
  }

  /** Resolves when the child is ready for the first time. Throws `host-failed` when it never is. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.kept = this.keep(resolve, reject);
    });
  }

  /** SIGTERM, then SIGKILL after the grace time. */
  async stop(): Promise<void> {
    this.stopping.abort();
    const child = this.child;
    if (child !== null) {
      child.kill('SIGTERM');
      const forced = setTimeout(() => child.kill('SIGKILL'), this.options.graceMs);
      await this.kept;
      clearTimeout(forced);
    }
    await this.kept;
  }

  /** Ends it without waiting. */
  kill(): void {
    this.stopping.abort();
    this.child?.kill('SIGKILL');
  }

  private async keep(started: () => void, failed: (error: Error) => void): Promise<void> {
    let everReady = false;
    for (let failures = 0; !this.stopping.signal.aborted; ) {
      const began = performance.now();
      const { ready, code, signal, pid } = await this.runOnce(() => {
        everReady = true;
        started();
      });
      if (this.stopping.signal.aborted) break;
      failures = ready && performance.now() - began > HEALTHY_MS ? 0 : failures + 1;
      if (!everReady && failures >= FIRST_ATTEMPTS) {
        failed(new Nl2codeError('host-failed', `The ${this.options.name} can't be started: ${this.options.lastWords() || `it ended with ${signal ?? `code ${code}`}`}.`));
        return;
      }
      const againInMs = BACK_OFF_MS[Math.min(failures, BACK_OFF_MS.length - 1)]!;
      this.options.onEvent({ kind: 'process-died', name: this.options.name, pid, code, signal, againInMs });
      await delay(againInMs, undefined, { signal: this.stopping.signal }).catch(() => undefined);
    }
    failed(new Nl2codeError('host-failed', `The ${this.options.name} was stopped.`, { remedy: '' }));
  }

  private async runOnce(onReady: () => void): Promise<{ ready: boolean; code: number | null; signal: string | null; pid: number | null }> {
    const child = this.options.launch();
    this.child = child;
    this.identity = child.pid === undefined ? null : identityOf(child.pid);
    const ended = new AbortController();
    const exited = exitOf(child);
    void exited.then(() => ended.abort());
    let ready = false;
    const limit = AbortSignal.any([ended.signal, AbortSignal.timeout(READY_TIMEOUT_MS)]);
    const becomesReady = this.options.ready(child, limit).then(
      () => {
        if (ended.signal.aborted) return;
        ready = true;
        this.options.onEvent({ kind: 'process-started', name: this.options.name, pid: child.pid! });
        onReady();
      },
      () => child.kill('SIGKILL'),
    );
    const { code, signal } = await exited;
    await becomesReady;
    this.child = null;
    this.identity = null;
    return { ready, code, signal, pid: child.pid ?? null };
  }
}

/** Resolves when the child has ended or could not be started. */
function exitOf(child: ChildProcess): Promise<{ code: number | null; signal: string | null }> {
  return new Promise((resolve) => {
    child.on('error', () => {
      // Without a pid the program could not be started, and there will be no 'exit'.
      if (child.pid === undefined) resolve({ code: null, signal: null });
    });
    child.on('exit', (code, signal) => resolve({ code, signal }));
  });
}
