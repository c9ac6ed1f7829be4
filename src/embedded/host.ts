import { fileURLToPath } from 'node:url';
import type { ResolvedConfig } from '../config.js';
import { namedCertificates } from '../model/certificates.js';
import { Nl2codeError } from '../session/error-table.js';
import { prepareDataDir } from './data-dir.js';
import { acquireHostLock, type HostLock } from './host-lock.js';
import { removeHostRecord, writeHostRecord, type HostRecord } from './host-record.js';
import { HostSocket, hostSocketPath } from './host-socket.js';
import type { KeptProcess, KeptProcessEvent } from './kept-process.js';
import { endLeftovers } from './leftovers.js';
import { ModelProcess } from './model-process.js';
import { findTemporalExecutable } from './temporal-executable.js';
import { databaseFile, prepareTemporalServer, type TemporalServer } from './temporal-server.js';
import { workerProcess } from './worker-process.js';

/*
 * The host of a data directory: the Temporal server, the scripted model where no endpoint is configured, and the workers, each a
 * process of its own. We own the lock, the processes and host.json; sessions and sandboxes belong to nobody here and outlive us.
 *
 * 1. Nothing starts before the lock is held; nothing of ours runs when it is released.
 * 2. What a killed host left is ended before the server starts.
 * 3. Workers stop first, the server last.
 * 4. An ephemeral host leaves when its last client has.
 */
export interface HostOptions {
  mode: HostRecord['mode'];
  /** Worker processes; default 1. */
  workers?: number;
  onEvent?(event: HostEvent): void;
  /** Scripts of the processes; default: those of the package. */
  entries?: { worker?: string; model?: string };
}

export type HostEvent = KeptProcessEvent | { kind: 'host-listening' } | { kind: 'leftovers-ended'; pids: number[] } | { kind: 'host-ready'; record: HostRecord } | { kind: 'host-stopping' };

/** An ephemeral host whose first client never comes leaves after this. */
const FIRST_CLIENT_MS = 20_000;

type State = { kind: 'new' } | { kind: 'starting' } | { kind: 'running' } | { kind: 'stopping'; done: Promise<void> };

/** Serves one data directory from this process. Host side. Installs no signal handlers: see `runHost`. */
export class Host {
  /** Resolves when everything has stopped. */
  readonly ended: Promise<void>;
  private resolveEnded!: () => void;
  private state: State = { kind: 'new' };
  private lock: HostLock | null = null;
  private socket: HostSocket | null = null;
  private server: TemporalServer | null = null;
  private model: ModelProcess | null = null;
  private workers: KeptProcess[] = [];
  private address = '';
  private firstClient: NodeJS.Timeout | null = null;

  constructor(
    private readonly config: ResolvedConfig,
    private readonly options: HostOptions,
  ) {
    this.ended = new Promise((resolve) => (this.resolveEnded = resolve));
  }

  /**
   * Takes the lock and starts everything; resolves when a worker is ready. On failure stops what it started and throws:
   * `host-locked`, `port-in-use`, `not-set-up`, `host-failed`, `bad-request` for a CA file, or one of the data directory's.
   */
  async start(): Promise<HostRecord> {
    this.state = { kind: 'starting' };
    try {
      await this.startAll();
    } catch (error) {
      const failure = error instanceof Nl2codeError ? error : new Nl2codeError('host-failed', `The host can't start (${(error as Error).message}).`, { cause: error });
      this.socket?.publish({ kind: 'failed', code: failure.code, message: failure.message });
      await this.stop();
      throw failure;
    }
    const record = this.record();
    this.options.onEvent?.({ kind: 'host-ready', record });
    return record;
  }

  /** Stops in order and releases the lock. Waits for a start that is under way to notice. Harmless to repeat. */
  stop(): Promise<void> {
    if (this.state.kind !== 'stopping') this.state = { kind: 'stopping', done: this.stopAll() };
    return this.state.done;
  }

  /** Ends every process at once, without order or patience. */
  kill(): void {
    for (const each of this.processes()) each.kill();
    this.lock?.release();
  }

  private async startAll(): Promise<void> {
    const { config, options } = this;
    // A worker would say so in its log only.
    if (config.model.caFile !== null) namedCertificates(config.model.caFile, config.model.caFrom);
    prepareDataDir(config.dataDir);
    const executable = config.temporal.mode === 'embedded' ? findTemporalExecutable(config.runtimeDir) : '';
    const acquired = acquireHostLock(config.dataDir);
    if ('heldBy' in acquired) throw new Nl2codeError('host-locked', `The data directory ${config.dataDir} is served by process ${acquired.heldBy.pid}.`);
    this.lock = acquired.lock;
    this.socket = new HostSocket(hostSocketPath(config.dataDir), () => this.clientsGone());
    await this.socket.listen();
    options.onEvent?.({ kind: 'host-listening' });

    const pids = await endLeftovers(config.dataDir, databaseFile(config.dataDir));
    if (pids.length > 0) options.onEvent?.({ kind: 'leftovers-ended', pids });
    // A port in use is found before anything starts.
    await this.prepareServer(executable);
    const listening = Promise.all([this.server ? this.begin(this.server.process) : null, this.startModel()]);
    await Promise.all([listening, this.startWorkers(listening)]);
    this.state = this.state.kind === 'starting' ? { kind: 'running' } : this.state;
    this.socket.publish({ kind: 'record', record: this.record() });
    if (options.mode === 'ephemeral' && this.socket.clientCount === 0) this.firstClient = setTimeout(() => this.clientsGone(), FIRST_CLIENT_MS);
  }

  private async prepareServer(executable: string): Promise<void> {
    const { temporal, dataDir, namespace, durability } = this.config;
    if (temporal.mode === 'external') {
      const { connectOptions } = await import('../temporal-connection.js');
      this.address = connectOptions(this.config).address ?? '';
      return;
    }
    this.throwIfStopping();
    this.server = await prepareTemporalServer({ executable, dataDir, port: temporal.port, uiPort: temporal.uiPort, namespace, durability, onEvent: this.onEvent });
    this.address = this.server.address;
  }

  private async startModel(): Promise<void> {
    if (this.config.model.baseUrl !== null) return;
    const entry = this.options.entries?.model ?? script('model/scripted-main.js');
    this.model = new ModelProcess({ entry, dataDir: this.config.dataDir, packDirs: this.config.packDirs, onEvent: this.onEvent });
    await this.begin(this.model.process);
  }

  /** Workers import while the others start, and are told where they are once they listen. */
  private async startWorkers(listening: Promise<unknown>): Promise<void> {
    const entry = this.options.entries?.worker ?? script('worker.js');
    const handed = listening.then(() => ({ config: this.config, address: this.server?.address ?? null, modelUrl: this.model?.url ?? null }));
    // Whoever waits for `listening` hears of its failure.
    handed.catch(() => undefined);
    this.workers = Array.from({ length: this.options.workers ?? 1 }, (_, at) => workerProcess({ index: at + 1, entry, dataDir: this.config.dataDir, handed, onEvent: this.onEvent }));
    await Promise.all(this.workers.map((worker) => this.begin(worker)));
  }

  /** Starts a child and writes its pid down before it is ready, so that the next host finds it. */
  private async begin(child: KeptProcess): Promise<void> {
    this.throwIfStopping();
    const started = child.start();
    this.writeRecord();
    await started;
  }

  private throwIfStopping(): void {
    if (this.state.kind === 'stopping') throw new Nl2codeError('host-failed', 'The host was stopped while it started.', { remedy: '' });
  }

  /** A child came or went: host.json and the clients learn it. */
  private readonly onEvent = (event: KeptProcessEvent): void => {
    this.writeRecord();
    if (this.state.kind === 'running') this.socket?.publish({ kind: 'record', record: this.record() });
    this.options.onEvent?.(event);
  };

  private clientsGone(): void {
    if (this.firstClient !== null) clearTimeout(this.firstClient);
    if (this.options.mode === 'ephemeral' && this.socket?.clientCount === 0) void this.stop();
    else this.socket?.release();
  }

  private async stopAll(): Promise<void> {
    if (this.firstClient !== null) clearTimeout(this.firstClient);
    this.options.onEvent?.({ kind: 'host-stopping' });
    this.socket?.close();
    await Promise.all(this.workers.map((worker) => worker.stop()));
    await this.model?.process.stop();
    await this.server?.process.stop();
    if (this.lock !== null) removeHostRecord(this.config.dataDir);
    this.lock?.release();
    this.socket?.end();
    this.resolveEnded();
  }

  private processes(): KeptProcess[] {
    return [...this.workers, ...(this.model ? [this.model.process] : []), ...(this.server ? [this.server.process] : [])];
  }

  private writeRecord(): void {
    if (this.lock !== null && this.state.kind !== 'stopping') writeHostRecord(this.config.dataDir, this.record());
  }

  private record(): HostRecord {
    const { config } = this;
    return {
      pid: process.pid,
      mode: this.options.mode,
      socket: this.socket?.path ?? '',
      address: this.address,
      namespace: config.namespace,
      taskQueue: config.taskQueue,
      uiUrl: this.server?.uiUrl ?? null,
      modelUrl: this.model?.url ?? null,
      modelBaseUrl: config.model.baseUrl,
      workers: this.workers.flatMap((worker) => (worker.current === null ? [] : [worker.current.pid])),
      children: this.processes().flatMap((each) => (each.current === null ? [] : [each.current])),
    };
  }
}

/** The compiled script beside this file, also when this file runs from `src`. */
export function script(name: string): string {
  return fileURLToPath(new URL(`../../dist/${name}`, import.meta.url));
}

/**
 * Runs a host until SIGINT or SIGTERM, or until its last client has left when it is ephemeral. The first signal stops it in order,
 * the second ends everything at once with exit code 1. Host side; the one place that handles signals.
 */
export async function runHost(config: ResolvedConfig, options: HostOptions): Promise<void> {
  const host = new Host(config, options);
  let signals = 0;
  const onSignal = () => {
    signals += 1;
    if (signals === 1) return void host.stop();
    host.kill();
    process.exit(1);
  };
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of names) process.on(name, onSignal);
  try {
    await host.start();
    await host.ended;
  } catch (error) {
    if (signals === 0) throw error;
  } finally {
    for (const name of names) process.off(name, onSignal);
  }
}
