import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { createAdmission, type RequestOptions } from '../../src/admission/admit.js';
import { Nl2codeClient } from '../../src/client.js';
import type { ResolvedConfig } from '../../src/config.js';
import { findTemporalExecutable } from '../../src/embedded/temporal-executable.js';
import { prepareTemporalServer, type TemporalServer } from '../../src/embedded/temporal-server.js';
import { playbookReport } from '../../src/model/scripted/control.js';
import { loadPlaybooks, type Playbook } from '../../src/model/scripted/playbook.js';
import { startScriptedServer, type ScriptedServer } from '../../src/model/scripted/server.js';
import type { SessionEvent } from '../../src/session/event.js';
import { SessionStore } from '../../src/store/session-store.js';
import { decided } from './decided.js';
import { PLAYBOOKS, ROOT, testConfig } from './in-process.js';

/** A fail point of test/rig/worker-main.mjs. */
export interface FailPoint {
  kind: string;
  seq: number;
}

/** What the workers of a rig are, beside the product's own. */
export interface Workers {
  /** Further playbooks. */
  playbooks?: readonly Playbook[];
  /** Root of the package whose workers run: a changed copy, for showing that what is broken is seen. */
  root?: string | undefined;
  /** Tools that every request may call. */
  tools?: string[];
  /** Window of the model, if not the default. */
  contextTokens?: number;
}

/** A server, a model and workers as processes of their own, to be killed. Owns one folder and everything in it. */
export class Processes {
  readonly dir = mkdtempSync(join(tmpdir(), 'nl2code-kill-'));
  readonly workers: ChildProcess[] = [];
  readonly store: SessionStore;
  readonly config: ResolvedConfig;
  /** Environment of the workers, beside this process's. */
  readonly env: Record<string, string> = {};
  server!: TemporalServer;
  client!: Nl2codeClient<RequestOptions>;
  temporal!: Client;
  private model!: ScriptedServer;
  private connection!: Connection;

  /** `quickMs`: workers have no endpoint and no sandbox, a call or a cell takes so long. */
  constructor(over: Partial<ResolvedConfig['sandbox']> = {}, private readonly quickMs?: number, private readonly own: Workers = {}) {
    const config = testConfig(this.dir);
    this.config = { ...config, model: { ...config.model, contextTokens: own.contextTokens ?? config.model.contextTokens }, tools: { allow: own.tools ?? null }, sandbox: { ...config.sandbox, ...over } };
    this.store = new SessionStore(this.dir);
  }

  async start(workers: number): Promise<this> {
    this.model = await startScriptedServer({ playbooks: [...loadPlaybooks([PLAYBOOKS]), ...(this.own.playbooks ?? [])] });
    this.server = await prepareTemporalServer({ executable: findTemporalExecutable(this.config.runtimeDir), dataDir: this.dir, port: 0, uiPort: null, namespace: 'default', durability: 'process', onEvent: () => undefined });
    await this.server.process.start();
    this.connection = await Connection.connect({ address: this.server.address });
    this.temporal = new Client({ connection: this.connection });
    const admission = createAdmission(this.config, { cwd: this.dir, endpoint: { probe: () => Promise.resolve() } });
    this.client = new Nl2codeClient({ client: this.temporal, store: this.store, taskQueue: this.config.taskQueue, admission });
    for (let i = 0; i < workers; i += 1) await this.startWorker();
    return this;
  }

  /** The worker process that began a step. */
  workerOf(event: SessionEvent): ChildProcess {
    const pid = (event.data as { worker: number }).worker;
    return this.workers.find((worker) => worker.pid === pid)!;
  }

  /** `only` limits what the worker takes: workflow tasks, or activities one at a time. */
  async startWorker(fail?: FailPoint, only: 'workflows' | 'activities' | '' = ''): Promise<ChildProcess> {
    const child = spawn(process.execPath, [join(this.own.root ?? ROOT, 'test', 'rig', 'worker-main.mjs')], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      env: {
        ...process.env,
        ...this.env,
        NL2CODE_WORKER_CONFIG: JSON.stringify({ config: this.config, address: this.server.address, modelUrl: this.model.baseUrl }),
        NL2CODE_TEST_ONLY: only,
        ...(this.quickMs === undefined ? {} : { NL2CODE_TEST_QUICK: String(this.quickMs) }),
        ...(fail ? { NL2CODE_TEST_FAIL: JSON.stringify({ ...fail, marker: join(this.dir, 'failed') }) } : {}),
      },
    });
    await Promise.race([once(child.stdout!, 'data'), once(child, 'exit').then(() => Promise.reject(new Error('a worker ended before it was ready')))]);
    this.workers.push(child);
    return child;
  }

  /** `kill -9`, and waits until it is gone. */
  async kill(child: ChildProcess): Promise<number> {
    const gone = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : Promise.resolve();
    child.kill('SIGKILL');
    await gone;
    return child.pid!;
  }

  /** The first event that fits, from the start of the session's log on. */
  async event(session: string, fits: (event: SessionEvent) => boolean, timeoutMs = 60_000): Promise<SessionEvent> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const found = this.store.at(session).readEvents().events.find(fits);
      if (found) return found;
      if (Date.now() > deadline) throw new Error(`no such event within ${timeoutMs} ms in ${session}`);
      await delay(5);
    }
  }

  async end(session: string) {
    for await (const followed of this.client.follow(session)) if (followed.kind === 'end') return followed;
    throw new Error('the follower ended without an end');
  }

  decided(session: string): string[] {
    const { chain } = this.store.at(session);
    return decided(chain.walk(chain.head()));
  }

  /** Lines that cells appended to a file of the workspace. */
  effects(session: string): string[] {
    return readFileSync(join(this.store.at(session).sandbox, 'workspace', 'effects.txt'), 'utf8').trim().split('\n');
  }

  /** Highest attempt of any step, and of the step with this number. */
  attempts(session: string, seq?: number): number {
    return Math.max(...this.store.at(session).readEvents().events.filter((event) => seq === undefined || event.seq === seq).map((event) => event.attempt));
  }

  /** Attempts as the server counted them, highest first. */
  async serverAttempts(session: string): Promise<number> {
    const { events } = await this.temporal.workflow.getHandle(session).fetchHistory();
    return Math.max(...(events ?? []).map((event) => event.activityTaskStartedEventAttributes?.attempt ?? 0));
  }

  async lostCalls(session: string): Promise<number> {
    const { chain } = this.store.at(session);
    return chain.walk(chain.head()).reduce((sum, link) => sum + link.record.spent.lostCalls, 0);
  }

  report(): ReturnType<typeof playbookReport> {
    return playbookReport(this.model.baseUrl);
  }

  /** Pids of the supervisor and the processes of a session's sandbox. */
  sandboxPids(session: string): { supervisor: number; child: number; kernel: number | undefined } {
    const state = JSON.parse(readFileSync(join(this.store.at(session).sandbox, 'run', 'state.json'), 'utf8')) as { pid: number; childPid: number };
    return { supervisor: state.pid, child: state.childPid, kernel: children(state.childPid).at(-1) };
  }

  async stop(): Promise<void> {
    for (const worker of this.workers) await this.kill(worker);
    for (const name of this.store.list()) {
      try {
        const { supervisor, child } = this.sandboxPids(name);
        for (const pid of [child, supervisor]) if (alive(pid)) process.kill(pid, 'SIGKILL');
      } catch {
        // It never had a sandbox, or it is gone.
      }
    }
    await this.connection.close();
    await this.server.process.stop();
    await this.model.close();
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

/** Whether a process exists and is no zombie. */
export function alive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** Child processes of a process, oldest first. */
export function children(pid: number): number[] {
  const found: number[] = [];
  for (const task of existing(`/proc/${pid}/task`)) found.push(...childrenOfThread(`/proc/${pid}/task/${task}/children`));
  // Not by number: pids begin anew after the greatest.
  return found.sort((a, b) => startTime(a) - startTime(b) || a - b);
}

/** Clock ticks from boot to the start of a process; 0 when it is gone. */
function startTime(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ')[19]);
  } catch {
    return 0;
  }
}

function childrenOfThread(path: string): number[] {
  try {
    return readFileSync(path, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  } catch {
    // The thread has ended.
    return [];
  }
}

function existing(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
