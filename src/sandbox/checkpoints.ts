/**
 * The states of a worker's sessions in a checkpoint store: shipped there in the background, had back where the sandbox's folder is lost. Host side.
 * Invariants:
 * (1) nothing waits for a shipment, and none ever fails a session: what went wrong is told in a sentence, and the next cell tries again;
 * (2) one shipment per session runs at a time; what is asked for meanwhile is the next;
 * (3) a state that is still on its way to this disk is waited for, for a while;
 * (4) a fetch ends when nothing comes for a while, and with the step it is for: after either it changes nothing any more.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { CheckpointStore } from '../store/checkpoint-store.js';
import { ImpatientStore } from '../store/impatient-store.js';
import { refillCheckpoint, remoteHead, type Replacing } from './refill-checkpoint.js';
import { shipCheckpoint, type ChainedSandbox, type Shipment } from './ship-checkpoint.js';
import { Standing } from './standing.js';

/** What is shipped, and who is told what came of it. */
export interface ShipmentOrder extends Shipment {
  /** The state after the last cell was not on the disk yet when that was answered. */
  pending: boolean;
  /** The state after cell `k` is in the store; told once for each that is the newest. */
  onShipped?(k: number): void;
  /** Told at every attempt that failed. */
  onFailed?(sentence: string): void;
}

export interface CheckpointsOptions {
  store: CheckpointStore;
  /** For the worker's log; each sentence once, until something else is so. */
  warn?(sentence: string): void;
  /** How long a pending state is waited for between two looks. */
  lookMs?: number;
  /** How long a fetch waits for the next byte of the store. */
  stillMs?: number;
}

/** Under what a state is fetched, and who is told that it could not be. */
export interface Fetching {
  /** Of the step that waits for it. */
  signal?: AbortSignal;
  onFailed?(sentence: string): void;
}

interface Lane {
  order: ShipmentOrder;
  running: Promise<void>;
  /** Whether a pending state may still be waited for. */
  patient: boolean;
  /** Ends a wait for a pending state. */
  hurry: AbortController;
}

const LOOKS = 8;
const LOOK_MS = 250;
const STILL_MS = 60_000;
const REMEMBERED = 1000;

export class Checkpoints {
  readonly #store: CheckpointStore;
  readonly #warn: (sentence: string) => void;
  readonly #lookMs: number;
  readonly #stillMs: number;
  readonly #lanes = new Map<string, Lane>();
  /** By session: the newest state that was told, and the last failure. */
  readonly #told = new Map<string, { head: number; failure: string | null }>();

  constructor({ store, warn = () => undefined, lookMs = LOOK_MS, stillMs = STILL_MS }: CheckpointsOptions) {
    this.#store = store;
    this.#warn = warn;
    this.#lookMs = lookMs;
    this.#stillMs = stillMs;
  }

  /** Where they are, for people. */
  get place(): string {
    return this.#store.place;
  }

  /** Ships soon what the store lacks; returns at once and never throws. */
  ship(order: ShipmentOrder): void {
    const lane = this.#lanes.get(order.session);
    if (lane) {
      lane.order = order;
      return lane.hurry.abort();
    }
    const made: Lane = { order, patient: true, hurry: new AbortController(), running: Promise.resolve() };
    this.#lanes.set(order.session, made);
    made.running = this.#run(made);
  }

  /**
   * Fetches the newest state of the chain's cells into a sandbox's folder that has none, and returns its cell; undefined when nothing was
   * fetched. Never throws: without it the cells run again.
   */
  refill(sandbox: ChainedSandbox, fetching: Fetching = {}): Promise<number | undefined> {
    return this.#fetch(sandbox, fetching);
  }

  /**
   * The same for a folder whose states after cell `given` can't be read; `end` ends its sandbox, and is called only when a later one is on this disk.
   * `moved`: somebody else has come into the folder meanwhile, so nothing is known of it any more, and nothing of theirs was touched.
   */
  async renew(sandbox: ChainedSandbox, given: number, end: () => Promise<void>, fetching: Fetching = {}): Promise<number | 'moved' | undefined> {
    const standing = new Standing(sandbox.folder);
    return (await this.#fetch(sandbox, fetching, { given, standing, end })) ?? (standing.moved() ? 'moved' : undefined);
  }

  async #fetch(sandbox: ChainedSandbox, { signal = new AbortController().signal, onFailed }: Fetching, replacing?: Replacing): Promise<number | undefined> {
    const { session } = sandbox;
    try {
      return await refillCheckpoint(new ImpatientStore(this.#store, this.#stillMs, signal), sandbox, { signal, ...(replacing ? { replacing } : {}) });
    } catch (error) {
      if (signal.aborted) onFailed?.(`The saved states of session ${session} were not fetched from ${this.place}: its step was ended before that.`);
      else this.#failed(session, `The saved states of session ${session} could not be fetched from ${this.place}, so its cells run again: ${sentence(error)}`, onFailed);
      return undefined;
    }
  }

  /** The last cell of the chain whose state is in the store, -1 when none is. Throws where the store can't be read. */
  head(sandbox: Pick<ChainedSandbox, 'session' | 'recordOf'>): Promise<number> {
    return remoteHead(this.#store, sandbox);
  }

  /** Waits for shipments that run, but no longer than so. What does not get done is done by whoever ships next. */
  async settled(ms: number): Promise<void> {
    const timer = new AbortController();
    const running = [...this.#lanes.values()].map((lane) => {
      lane.patient = false;
      lane.hurry.abort();
      return lane.running;
    });
    await Promise.race([Promise.all(running), delay(ms, undefined, { signal: timer.signal }).catch(() => undefined)]);
    timer.abort();
  }

  async #run(lane: Lane): Promise<void> {
    for (let look = 0; ; look += 1) {
      const { order } = lane;
      const head = await this.#once(order);
      if (lane.order !== order) {
        look = -1;
        continue;
      }
      if (head === undefined || head >= order.cells - 1 || !order.pending || !lane.patient || look >= LOOKS) {
        // Before anything can be asked for that nobody would look at any more.
        this.#lanes.delete(order.session);
        return;
      }
      lane.hurry = new AbortController();
      await delay(this.#lookMs * 2 ** look, undefined, { signal: lane.hurry.signal, ref: false }).catch(() => undefined);
    }
  }

  async #once(order: ShipmentOrder): Promise<number | undefined> {
    const { session } = order;
    try {
      const head = await shipCheckpoint(this.#store, order);
      const before = this.#told.get(session);
      this.#tell(session, { head, failure: null });
      if (head >= 0 && head !== before?.head) order.onShipped?.(head);
      return head;
    } catch (error) {
      this.#failed(session, `The states of session ${session} could not all be shipped to ${this.place}, which is tried again after its next cell: ${sentence(error)}`, order.onFailed);
      return undefined;
    }
  }

  #tell(session: string, told: { head: number; failure: string | null }): void {
    this.#told.delete(session);
    this.#told.set(session, told);
    for (const oldest of this.#told.keys()) {
      if (this.#told.size <= REMEMBERED) break;
      this.#told.delete(oldest);
    }
  }

  #failed(session: string, said: string, onFailed?: (sentence: string) => void): void {
    const before = this.#told.get(session);
    this.#tell(session, { head: before?.head ?? -1, failure: said });
    onFailed?.(said);
    if (before?.failure !== said) this.#warn(said);
  }
}

function sentence(error: unknown): string {
  const said = error instanceof Error ? error.message : String(error);
  return /[.!?]$/.test(said) ? said : `${said}.`;
}
