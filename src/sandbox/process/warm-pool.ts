import { randomBytes, randomInt } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { canonical } from '../../session/canonical.js';
import type { SandboxSpec } from '../backend.js';
import { openStream } from './connect.js';
import { endSandbox } from './end-sandbox.js';
import { processAlive, processStartTime, readRunState, supervisorAlive } from './run-state.js';
import { isFree, keepLease, layOut, type FolderIdentity } from './sandbox-folder.js';

/** What a sandbox is besides its folder and inputs: two sandboxes of one shape can stand in for each other. */
export type SandboxShape = Pick<SandboxSpec, 'mounts' | 'pythonPath' | 'isolation' | 'limits' | 'durability' | 'warm'>;

export interface WarmPoolOptions {
  /** Host folder of the slots, on the file system of the sessions: claiming is a rename. */
  folder: string;
  /** How many sandboxes are kept ready. */
  size: number;
  /** Starts a sandbox that belongs to no session yet. */
  start(spec: SandboxSpec): Promise<FolderIdentity>;
}

interface Slot {
  folder: string;
  key: string;
  identity: FolderIdentity;
  /** Keeps the slot's lease from running out; it ends with this process. */
  hold: Socket;
}

/** A slot that nobody holds is over quickly. */
const SLOT_LEASE_MS = 15_000;
/** A refill waits until the cell that emptied the pool has had the CPU. */
const REFILL_DELAY_MS = 1_000;

/**
 * Sandboxes kept ready for the shape that was last asked for. A claim renames the slot's folder to the session's: bind mounts
 * follow the inode. Uid and hash seed belong to the slot and stay with the folder.
 *
 * Invariants:
 * (1) a slot is claimed at most once;
 * (2) a slot is never claimed for another shape, nor for a folder that holds anything;
 * (3) slots of a process that was killed end by their lease, and the next process sweeps their folders;
 * (4) a slot that can't be started costs the next session its head start and nothing else.
 */
export class WarmPool {
  readonly #options: WarmPoolOptions;
  #shape: SandboxShape | null;
  #slots: Slot[] = [];
  #filling: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: WarmPoolOptions) {
    this.#options = options;
    mkdirSync(options.folder, { recursive: true, mode: 0o700 });
    this.#shape = this.#readShape();
  }

  /** Takes over a ready sandbox of the spec's shape: it then lives in `spec.folder`. Null when there is none. */
  claim(spec: SandboxSpec): FolderIdentity | null {
    const key = shapeKey(spec);
    const slot = this.#slots.find(
      (candidate) => candidate.key === key && (!spec.exactSeed || candidate.identity.hashSeed === spec.hashSeed),
    );
    if (!slot || !isFree(spec.folder)) return null;
    this.#slots = this.#slots.filter((other) => other !== slot);
    const state = readRunState(slot.folder);
    try {
      if (!state || !supervisorAlive(state) || slot.hold.destroyed) throw new Error('the slot has ended');
      keepLease(slot.folder, spec.leaseMs);
      mkdirSync(dirname(spec.folder), { recursive: true });
      renameSync(slot.folder, spec.folder);
    } catch {
      void discard(slot);
      return null;
    }
    slot.hold.destroy();
    return slot.identity;
  }

  /** Remembers the shape to keep ready, for later processes too, and refills soon. */
  want(shape: SandboxShape): void {
    if (this.#closed || this.#options.size < 1 || shape.isolation === 'none') return;
    const wanted = pick(shape);
    if (this.#shape === null || shapeKey(this.#shape) !== shapeKey(wanted)) {
      this.#shape = wanted;
      writeFileSync(join(this.#options.folder, 'shape.json'), JSON.stringify(wanted));
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.fill();
    }, REFILL_DELAY_MS).unref();
  }

  /** Starts what is missing of the remembered shape; resolves when the pool is full or a slot could not be started. */
  fill(): Promise<void> {
    this.#filling ??= this.#fill().finally(() => (this.#filling = null));
    return this.#filling;
  }

  async #fill(): Promise<void> {
    while (!this.#closed && this.#shape) {
      const key = shapeKey(this.#shape);
      for (const slot of this.#slots.filter((other) => other.key !== key || other.hold.destroyed)) {
        this.#slots = this.#slots.filter((other) => other !== slot);
        await discard(slot);
      }
      if (this.#slots.length >= this.#options.size) return;
      const slot = await this.#start(this.#shape).catch(() => null);
      if (!slot) return;
      if (this.#closed) return discard(slot);
      this.#slots.push(slot);
    }
  }

  async #start(shape: SandboxShape): Promise<Slot | null> {
    const owner = `${process.pid}-${processStartTime(process.pid) ?? 0}`;
    const id = `slot-${owner}-${randomBytes(6).toString('hex')}`;
    const folder = join(this.#options.folder, id);
    const hashSeed = randomInt(0x1_0000_0000);
    try {
      layOut(folder);
      const identity = await this.#options.start({
        ...shape,
        id,
        folder,
        inputs: [],
        hashSeed,
        leaseMs: SLOT_LEASE_MS,
      });
      return { folder, key: shapeKey(shape), identity, hold: await held(folder) };
    } catch {
      await endSandbox(folder).catch(() => undefined);
      rmSync(folder, { recursive: true, force: true });
      return null;
    }
  }

  /** Ends and removes the slots of processes that are gone. */
  async sweep(): Promise<void> {
    for (const name of readdirSync(this.#options.folder)) {
      const owner = /^slot-(\d+)-(\d+)-[0-9a-f]+$/.exec(name);
      if (!owner || processAlive({ pid: Number(owner[1]), startTime: Number(owner[2]) || null })) continue;
      const folder = join(this.#options.folder, name);
      await endSandbox(folder).catch(() => undefined);
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** Ends every slot. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#filling;
    await Promise.all(this.#slots.splice(0).map(discard));
    try {
      rmdirSync(this.#options.folder);
    } catch {
      // the shape is kept there, or another process's slots
    }
  }

  #readShape(): SandboxShape | null {
    try {
      const shape = JSON.parse(readFileSync(join(this.#options.folder, 'shape.json'), 'utf8')) as SandboxShape;
      return Array.isArray(shape.mounts) &&
        Array.isArray(shape.pythonPath) &&
        shape.isolation === 'bubblewrap' &&
        shape.durability &&
        shape.limits
        ? pick(shape)
        : null;
    } catch {
      return null;
    }
  }
}

const pick = ({ mounts, pythonPath, isolation, limits, durability, warm }: SandboxShape): SandboxShape => ({
  mounts,
  pythonPath,
  isolation,
  limits,
  durability,
  warm,
});

const shapeKey = (shape: SandboxShape): string => canonical(pick(shape));

/** A stream that says nothing and, by being open, holds the lease. */
async function held(folder: string): Promise<Socket> {
  const stream = await openStream(folder);
  stream.on('error', () => undefined);
  stream.resume();
  stream.unref();
  return stream;
}

async function discard(slot: Slot): Promise<void> {
  slot.hold.destroy();
  await endSandbox(slot.folder).catch(() => undefined);
  rmSync(slot.folder, { recursive: true, force: true });
}
