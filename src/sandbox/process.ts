import { setTimeout as delay } from 'node:timers/promises';
import { Nl2codeError } from '../session/error-table.js';
import type { Isolation } from '../session/request.js';
import type { SandboxBackend, SandboxProbe, SandboxRef, SandboxSpec } from './backend.js';
import { openStream } from './process/connect.js';
import { endSandbox } from './process/end-sandbox.js';
import { probeIsolation } from './process/probe.js';
import { readRunState, supervisorAlive } from './process/run-state.js';
import { compileGuest, resolveRuntime, type SandboxRuntime } from './process/runtime.js';
import {
  keepIdentity,
  keepLease,
  keptIdentity,
  layOut,
  showInputs,
  type FolderIdentity,
} from './process/sandbox-folder.js';
import { rollBack } from './process/roll-back.js';
import { startSupervisor } from './process/supervisor.js';
import { WarmPool, type SandboxShape } from './process/warm-pool.js';
import { PROMISES, specProblem } from './promises.js';

export interface ProcessBackendOptions {
  /** Holds the Python environment in `python/`. */
  runtimeDir: string;
  /** Holds `nl2code_guest`, `nl2code_supervisor` and `seccomp`. */
  guestDir: string;
  /** Path of bubblewrap; looked for when left out, null for none. */
  bwrap?: string | null;
  /** What `probe` and the table of promises are about; each spec says for itself what it wants. */
  isolation?: Isolation;
  /** How many sandboxes are kept ready; needs `poolDir`. */
  pool?: number;
  /** Host folder for sandboxes kept ready, on the file system of the sessions. */
  poolDir?: string;
}

/** A sandbox backend over local processes, with what only this one can do. */
export interface ProcessBackend extends SandboxBackend {
  /** Clears the pool of what dead workers left, and fills it with what was last asked for. Until then it holds nothing. */
  keepReady(): void;
  /** Keeps sandboxes of this shape ready and resolves when they are started. */
  warm(shape: SandboxShape): Promise<void>;
}

const ADOPT_MS = 20_000;

/**
 * The embedded default: each sandbox is bubblewrap around the guest, under a detached supervisor of its own. Runs in a worker
 * process on Linux; with isolation `none`, elsewhere too. Keeps no state that another process needs.
 */
export function createProcessBackend(options: ProcessBackendOptions): ProcessBackend {
  return new LocalProcesses(options);
}

class LocalProcesses implements ProcessBackend {
  readonly name = 'process';
  readonly promises;
  readonly #options: ProcessBackendOptions;
  readonly #isolation: Isolation;
  readonly #pool: WarmPool | null;
  readonly #creating = new Map<string, Promise<SandboxRef>>();
  #runtime: SandboxRuntime | undefined;
  #compiled: Promise<void> | undefined;
  #probe: Promise<SandboxProbe> | undefined;

  constructor(options: ProcessBackendOptions) {
    this.#options = options;
    this.#isolation = options.isolation ?? 'bubblewrap';
    this.promises = PROMISES[this.#isolation];
    const { pool = 0, poolDir } = options;
    this.#pool =
      pool > 0 && poolDir
        ? new WarmPool({ folder: poolDir, size: pool, start: (spec) => this.#startSlot(spec) })
        : null;
  }

  keepReady(): void {
    void this.#pool
      ?.sweep()
      .catch(() => undefined)
      .then(() => this.#pool?.fill());
  }

  async probe(): Promise<SandboxProbe> {
    try {
      const runtime = this.#resolved();
      if (this.#isolation === 'bubblewrap') return await this.#isolationProbe(runtime);
      const memoryLimit = process.platform === 'linux' ? 'watcher' : 'none';
      return {
        available: true,
        isolation: 'none',
        memoryLimit,
        detail: 'Isolation is none: generated code runs as your user with the network and your files.',
      };
    } catch (error) {
      return { available: false, isolation: this.#isolation, memoryLimit: 'none', detail: (error as Error).message };
    }
  }

  async create(spec: SandboxSpec): Promise<SandboxRef> {
    const problem = specProblem(spec);
    if (problem) throw new Nl2codeError('bad-request', problem, { remedy: '' });
    // One at a time per folder: a second call of this process finds what the first one has started.
    const before = this.#creating.get(spec.folder);
    const creating = (before ? before.catch(() => undefined) : Promise.resolve()).then(() => this.#create(spec));
    this.#creating.set(spec.folder, creating);
    try {
      return await creating;
    } finally {
      if (this.#creating.get(spec.folder) === creating) this.#creating.delete(spec.folder);
    }
  }

  async #create(spec: SandboxSpec): Promise<SandboxRef> {
    const alive = this.#adopt(spec);
    if (alive) return alive;
    await this.#ensureAvailable(spec.isolation);
    const claimed = spec.isolation === 'bubblewrap' ? this.#pool?.claim(spec) : null;
    // A throw-away shape, such as verification's, is not what the next session needs.
    if (!spec.exactSeed) this.#pool?.want(spec);
    if (claimed) {
      showInputs(spec.folder, spec.inputs, spec.isolation);
      return this.#ref(spec, claimed, false);
    }
    return this.#start(spec);
  }

  #adopt(spec: SandboxSpec): SandboxRef | null {
    const state = readRunState(spec.folder);
    if (!state || state.endedBecause !== null || !supervisorAlive(state)) return null;
    if (state.isolation !== spec.isolation) {
      throw new Nl2codeError(
        'bad-request',
        `The sandbox ${spec.id} runs with isolation ${state.isolation}, not ${spec.isolation}: end it first.`,
        { remedy: '' },
      );
    }
    keepLease(spec.folder, spec.leaseMs);
    showInputs(spec.folder, spec.inputs, spec.isolation);
    return this.#ref(spec, keptIdentity(spec.folder) ?? { session: spec.id, hashSeed: state.hashSeed }, true);
  }

  async #start(spec: SandboxSpec): Promise<SandboxRef> {
    const runtime = this.#resolved();
    layOut(spec.folder);
    showInputs(spec.folder, spec.inputs, spec.isolation);
    const kept = keptIdentity(spec.folder);
    const identity = {
      session: kept?.session ?? spec.id,
      hashSeed: spec.exactSeed ? spec.hashSeed : (kept?.hashSeed ?? spec.hashSeed),
    };
    keepIdentity(spec.folder, identity);
    keepLease(spec.folder, spec.leaseMs);
    for (const end = performance.now() + ADOPT_MS; performance.now() < end;) {
      const { started } = await startSupervisor(runtime, { spec, ...identity });
      if (started.ok) return this.#ref(spec, identity, false);
      if (started.code !== 'locked')
        throw new Nl2codeError(
          'sandbox-lost',
          `The sandbox ${spec.id} did not start: ${started.message.slice(0, 1000)}`,
        );
      // Another process starts this sandbox right now, or its last supervisor is about to end.
      for (let n = 0; n < 20; n++) {
        await delay(25);
        const alive = this.#adopt(spec);
        if (alive) return alive;
      }
    }
    throw new Nl2codeError('sandbox-lost', `Another process holds the sandbox ${spec.id} but it does not start.`);
  }

  async connect(ref: SandboxRef) {
    return openStream(ref.folder);
  }

  async destroy(ref: SandboxRef): Promise<void> {
    await endSandbox(ref.folder);
  }

  async rollBack({ folder, isolation }: Pick<SandboxSpec, 'folder' | 'isolation'>, k: number): Promise<void> {
    await rollBack(folder, k, isolation);
  }

  async limitsHit(ref: SandboxRef): Promise<{ kills: number; sentence: string | null }> {
    const state = readRunState(ref.folder);
    return { kills: state?.kills ?? 0, sentence: state?.killedBecause ?? null };
  }

  async warm(shape: SandboxShape): Promise<void> {
    await this.#ensureAvailable(shape.isolation);
    this.#pool?.want(shape);
    await this.#pool?.fill();
  }

  async close(): Promise<void> {
    await this.#pool?.close();
  }

  async #startSlot(spec: SandboxSpec): Promise<FolderIdentity> {
    await this.#ensureAvailable(spec.isolation);
    const identity = { session: spec.id, hashSeed: spec.hashSeed };
    keepIdentity(spec.folder, identity);
    const { started } = await startSupervisor(this.#resolved(), { spec, ...identity });
    if (!started.ok)
      throw new Nl2codeError('sandbox-lost', `A sandbox to keep ready did not start: ${started.message}`);
    return identity;
  }

  async #ensureAvailable(isolation: Isolation): Promise<void> {
    const runtime = this.#resolved();
    await (this.#compiled ??= compileGuest(runtime));
    if (isolation === 'none') return;
    const probe = await this.#isolationProbe(runtime);
    if (!probe.available) throw new Nl2codeError('sandbox-unavailable', probe.detail);
  }

  #isolationProbe(runtime: SandboxRuntime): Promise<SandboxProbe> {
    // Only what works is remembered: what is missing may be installed meanwhile.
    this.#probe ??= probeIsolation(runtime).then((probe) => {
      if (!probe.available) this.#probe = undefined;
      return probe;
    });
    return this.#probe;
  }

  #resolved(): SandboxRuntime {
    return (this.#runtime ??= resolveRuntime(this.#options));
  }

  #ref({ id, folder }: SandboxSpec, { session, hashSeed }: FolderIdentity, adopted: boolean): SandboxRef {
    return { backend: this.name, id, folder, session, hashSeed, adopted };
  }
}
