import type { Duplex } from 'node:stream';
import type { Isolation } from '../session/request.js';
import type { Durability } from '../store/file.js';

/**
 * The contract of every sandbox backend. A backend owns the life of sandboxes; the session owns the host folder they work in.
 * Invariants, each held by the contract suite:
 * (1) `create` with the id of a sandbox that is alive returns that sandbox (adoption), never a second one;
 * (2) a sandbox outlives the process that created it and ends by itself `leaseMs` after the last stream was closed;
 * (3) `destroy` leaves no process, mount or socket, also when called twice or for a sandbox that has died;
 * (4) nothing of the host is visible inside but what the spec names; there is no network;
 * (5) `rollBack` leaves nothing that cells from `k` on have committed, and everything that earlier ones have;
 * (6) isolation that the spec asks for and this machine lacks is an error that names the remedy, never a fallback.
 */
export interface SandboxBackend {
  readonly name: string;
  /** What this backend promises, as the table of `doctor` and the documentation show it. */
  readonly promises: SandboxPromises;
  /** Whether it works on this machine, tried for real. Never throws. */
  probe(): Promise<SandboxProbe>;
  create(spec: SandboxSpec): Promise<SandboxRef>;
  /** A duplex byte stream to the guest; see docs/kernel-protocol.md. Throws `sandbox-lost` when the sandbox is gone. */
  connect(ref: SandboxRef): Promise<Duplex>;
  destroy(ref: SandboxRef): Promise<void>;
  /** Ends the sandbox and takes back what its cells from `k` on have committed; with nothing before `k`, its files too. It keeps who it is. */
  rollBack(spec: Pick<SandboxSpec, 'id' | 'folder' | 'isolation'>, k: number): Promise<void>;
  /** How often a limit has ended something inside, and a sentence about the last time. Zero and null where the backend can't tell. */
  limitsHit?(ref: SandboxRef): Promise<{ kills: number; sentence: string | null }>;
  /** Ends what the pool keeps ready; called once when the worker stops. */
  close(): Promise<void>;
}

export interface SandboxPromises {
  isolation: string;
  network: string;
  memory: string;
  processes: string;
  disk: string;
  survivesWorker: string;
}

export interface SandboxProbe {
  available: boolean;
  isolation: Isolation;
  /** Which memory limit is active. */
  memoryLimit: 'cgroup' | 'watcher' | 'none';
  /** One sentence: what is active, or why it can't be used and what to install. */
  detail: string;
}

export interface SandboxSpec {
  /** Stable name, `[a-z0-9-]{1,64}`: the same id names the same sandbox. */
  id: string;
  /** Absolute host folder of this sandbox. The backend creates `workspace/`, `checkpoint/`, `inputs/` and `run/` in it; the first two are writable inside. */
  folder: string;
  /** Files to show read-only at `/inputs/<name>`; also linked by name in `/workspace` when a sandbox is new. */
  inputs: { name: string; path: string }[];
  /** Host folders to show read-only, e.g. a pack's libraries at `/pack`. */
  mounts: { from: string; at: string }[];
  /** Folders inside the sandbox to put on Python's path. */
  pythonPath: string[];
  isolation: Isolation;
  limits: SandboxLimits;
  /** Fixed per session, so that a re-run of a cell sees the same set order. 0 to 4294967295. */
  hashSeed: number;
  /** How long the sandbox lives without a stream. */
  leaseMs: number;
  /** True when only `hashSeed` itself will do. Otherwise a sandbox kept ready may stand in with its own seed, which its folder then keeps for ever. */
  exactSeed?: boolean;
  /** What a committed cell survives: the death of any process, or a power cut of the host too. */
  durability: Durability;
  /** What the zygote imports before the first cell is needed: nothing, numpy and pandas, or everything. */
  warm: 'bare' | 'data' | 'all';
}

export interface SandboxLimits {
  memoryBytes: number;
  /** Bytes of the workspace and of one file. */
  diskBytes: number;
  processes: number;
  cpus: number;
}

/** A serialisable pointer to a sandbox: it finds one, it proves nothing. */
export interface SandboxRef {
  backend: string;
  id: string;
  folder: string;
  /** Told by `create`: the hash seed that is active inside. */
  hashSeed?: number;
  /** Told by `create`: the name the guest knows its session by; `id` without one. */
  session?: string;
  /** Told by `create`: the sandbox was alive already. */
  adopted?: boolean;
}
