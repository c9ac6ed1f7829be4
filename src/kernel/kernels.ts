import { setTimeout as delay } from 'node:timers/promises';
import type { SandboxBackend, SandboxRef, SandboxSpec } from '../sandbox/backend.js';
import { Nl2codeError } from '../session/error-table.js';
import type { Saved } from '../session/restore-report.js';
import { runFrom, type Asked } from './catch-up.js';
import { KernelConnection, refusalError, StreamCut, type CellHooks, type CellOutcome } from './connection.js';
import { FrameError } from './frame-codec.js';
import { OVERDUE_MS, watchOverdue } from './overdue.js';
import type { Epoch, WireReply } from './protocol.js';

export interface KernelCell {
  /** The session it belongs to; for messages. Which kernel answers is decided by the sandbox's folder alone. */
  session: string;
  /** Number of the cell in its sandbox, from 0. */
  k: number;
  code: string;
  epoch: Epoch;
  timeoutMs: number;
  maxOutputChars: number;
  /** How often it is run before the death of its kernel is its result; 3 when left out, which is the most. */
  maxRuns?: number | undefined;
  /** The session's cell `k` before this one, for a kernel that has lost it. Without it such a kernel is an error. */
  past?(k: number): Pick<KernelCell, 'code' | 'timeoutMs'>;
}

export interface KernelHooks extends CellHooks {
  signal: AbortSignal;
  /** `started`: a sandbox was started or taken from those kept ready; `adopted`: it was alive; `lost`: it ended under the cell. */
  onSandbox?(event: 'started' | 'adopted' | 'lost'): void;
  /** The kernel has lost what came after cell `head`. Returns the later one whose state its folder was given, or that somebody else has come meanwhile; `end` ends its sandbox, which has to come before. */
  onBehind?(head: number, end: () => Promise<void>): Promise<number | 'moved' | undefined>;
  /** The kernel has lost the cell's past, and cell `k` of it runs again next, or the cell itself. */
  onCatchUp?(k: number): void;
  /** An earlier cell ran again; what it printed was not handed on. */
  onCaughtUp?(k: number, result: KernelResult): Promise<void> | void;
}

export interface KernelResult {
  reply: WireReply;
  attachments: Buffer[];
  /** The cell had run before, and the answer was kept. */
  cached: boolean;
  /** How the state after the cell was kept when it was answered. */
  saved: Saved;
  /** How its kernel died, once for each time it ran again. */
  again: string[];
}

/** The kernels of all sandboxes a worker talks to. */
export interface Kernels {
  /**
   * Runs a cell, or learns the result of the run it had. A cut stream, a dead kernel, a lost sandbox and a lost state are overcome: the cell
   * runs from the state before it, and a cell that kills its kernel as often as it may comes back as `kernel-died`. Throws `fenced`,
   * `store-corrupt`, `sandbox-lost` or `sandbox-unavailable`; after an abort the reply says `interrupted`, or the sandbox is ended and the
   * signal's reason thrown.
   */
  runCell(spec: SandboxSpec, cell: KernelCell, hooks: KernelHooks): Promise<KernelResult>;
  /** Closes the stream kept open to a folder's sandbox; its lease decides from here. */
  release(folder: string): void;
  /** Ends a sandbox. */
  end(spec: Pick<SandboxSpec, 'id' | 'folder'>): Promise<void>;
  /** Closes every stream. Sandboxes live on under their lease. */
  close(): Promise<void>;
}

const ATTEMPTS = 4;
const INTERRUPT_MS = 1_000;
const REASON_MS = 400;

/** Runs in a worker. Keeps one idle stream per sandbox. */
export function createKernels(options: { backend: SandboxBackend }): Kernels {
  return new SandboxKernels(options.backend);
}

/** An idle stream is given back soon, so that it is the lease that decides how long an unused sandbox lives. */
const IDLE_MS = 2_000;

interface Held {
  ref: SandboxRef;
  connection: KernelConnection;
  timer?: NodeJS.Timeout;
}

class SandboxKernels implements Kernels {
  readonly #backend: SandboxBackend;
  readonly #idle = new Map<string, Held>();

  constructor(backend: SandboxBackend) {
    this.#backend = backend;
  }

  runCell(spec: SandboxSpec, cell: KernelCell, hooks: KernelHooks): Promise<KernelResult> {
    const kernel = {
      ask: (asked: KernelCell, again: boolean) => this.#ask(spec, asked, again ? { ...hooks, onOutput: undefined } : hooks, again),
      rollBack: async (k: number) => {
        this.release(spec.folder);
        await this.#backend.rollBack(spec, k);
      },
      renew: async (head: number) => hooks.onBehind?.(head, () => this.end(spec)),
    };
    return runFrom(kernel, cell, hooks);
  }

  async #ask(spec: SandboxSpec, cell: KernelCell, hooks: KernelHooks, before: boolean): Promise<Asked> {
    let cause: unknown;
    let refused: Nl2codeError | undefined;
    let had = false;
    // By run: whoever attaches to one is told of it anew.
    const again = new Map<number, string>();
    const heard: KernelHooks = {
      ...hooks,
      onAgain: (died) => {
        if (!again.has(died.run)) hooks.onAgain?.(died);
        again.set(died.run, died.message);
      },
    };
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      hooks.signal.throwIfAborted();
      if (attempt > 1) await delay(50 * 2 ** attempt);
      let held: Held | null = null;
      refused = undefined;
      try {
        held = await this.#attach(spec, cell, (adopted) => {
          if (had && !adopted) hooks.onSandbox?.('lost');
          hooks.onSandbox?.(adopted ? 'adopted' : 'started');
        });
        had = true;
        // Asked for after the cell is on its way, so that the guest works meanwhile; a limit takes longer to end anything.
        const [outcome, limits] = await Promise.all([
          this.#exec(held, cell, heard, before),
          this.#backend.limitsHit?.(held.ref),
        ]);
        this.#keep(spec.folder, held);
        if (outcome.kind === 'refused') {
          if (outcome.refusal.code === 'conflict') return { elsewhere: outcome.refusal };
          throw (refused = refusalError(outcome.refusal));
        }
        const { reply, attachments, cached, saved } = outcome;
        const said = reply.ended === 'kernel-died' ? await this.#withReason(held.ref, reply, limits?.kills ?? 0) : reply;
        return { reply: said, attachments, cached, saved, again: [...again.values()] };
      } catch (error) {
        held?.connection.close();
        if (!isLost(error)) throw error;
        cause = error;
      }
    }
    // Its sandbox is there and says why it can't take the cell.
    if (refused) throw refused;
    throw new Nl2codeError(
      'sandbox-lost',
      `The sandbox of ${cell.session} was lost ${ATTEMPTS} times while cell ${cell.k} ran: ${(cause as Error).message}`,
      { cause },
    );
  }

  async #attach(spec: SandboxSpec, cell: KernelCell, onNew: (adopted: boolean) => void): Promise<Held> {
    const kept = this.#idle.get(spec.folder);
    this.#idle.delete(spec.folder);
    clearTimeout(kept?.timer);
    if (kept?.connection.open) return kept;
    const ref = await this.#backend.create(spec);
    const connection = await KernelConnection.open(await this.#backend.connect(ref), {
      session: ref.session ?? ref.id,
      epoch: cell.epoch,
    });
    onNew(ref.adopted === true);
    return { ref, connection };
  }

  #keep(folder: string, held: Held): void {
    if (!held.connection.open) return;
    const other = this.#idle.get(folder);
    if (other && other !== held) return held.connection.close();
    held.timer = setTimeout(() => this.release(folder), IDLE_MS);
    this.#idle.set(folder, held);
  }

  /** One exec on one stream, under the two things that can end it from this side: an abort and a guest that never answers. */
  #exec(held: Held, cell: KernelCell, hooks: KernelHooks, before: boolean): Promise<CellOutcome> {
    const { connection, ref } = held;
    const { signal } = hooks;
    const { k, code, timeoutMs, maxOutputChars, epoch, maxRuns } = cell;
    const answer = connection.exec({ k, code, timeoutMs, maxOutputChars, epoch, maxRuns }, hooks);
    return new Promise((resolve, reject) => {
      let ending = false;
      const end = (ended: Promise<CellOutcome>) => {
        ending = true;
        ended.then(resolve, reject);
      };
      const abort = () => end(before ? this.#endNow(held, signal) : this.#abort(held, k, answer, signal));
      const unwatch = watchOverdue(connection, timeoutMs, () => end(this.#endOverdue(ref)));
      const settled = () => {
        unwatch();
        signal.removeEventListener('abort', abort);
      };
      if (signal.aborted) abort();
      else signal.addEventListener('abort', abort, { once: true });
      answer.then(
        (outcome) => {
          settled();
          resolve(outcome);
        },
        (error: Error) => {
          settled();
          // Else it is ours that ends the stream, and says why when that is done.
          if (!ending) reject(error);
        },
      );
    });
  }

  async #endOverdue(ref: SandboxRef): Promise<never> {
    await this.#backend.destroy(ref);
    throw new StreamCut(
      `The guest did not answer for ${(2 * OVERDUE_MS) / 1000} s after the cell's time limit, so its sandbox was ended.`,
    );
  }

  async #abort(held: Held, k: number, answer: Promise<CellOutcome>, signal: AbortSignal): Promise<CellOutcome> {
    if (held.connection.open) held.connection.interrupt(k);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => (timer = setTimeout(resolve, INTERRUPT_MS, null)));
    const outcome = await Promise.race([answer.catch(() => null), late]);
    clearTimeout(timer);
    return outcome ?? this.#endNow(held, signal);
  }

  /** A cell that runs again is not interrupted: a part of it would be committed for the whole. */
  async #endNow(held: Held, signal: AbortSignal): Promise<never> {
    held.connection.close();
    await this.#backend.destroy(held.ref);
    throw signal.reason;
  }

  /** A limit that ended the kernel is named; the supervisor notices it a moment after the guest does. */
  async #withReason(ref: SandboxRef, reply: WireReply, killsBefore: number): Promise<WireReply> {
    for (
      const end = performance.now() + REASON_MS;
      this.#backend.limitsHit && performance.now() < end;
      await delay(25)
    ) {
      const { kills, sentence } = await this.#backend.limitsHit(ref);
      if (kills <= killsBefore || sentence === null) continue;
      const error = reply.error ?? { type: 'KernelDied', message: '', traceback: '' };
      return { ...reply, error: { ...error, message: `${capitalised(sentence)}. ${error.message}`.trim() } };
    }
    return reply;
  }

  release(folder: string): void {
    const held = this.#idle.get(folder);
    clearTimeout(held?.timer);
    held?.connection.close();
    this.#idle.delete(folder);
  }

  async end({ id, folder }: Pick<SandboxSpec, 'id' | 'folder'>): Promise<void> {
    this.release(folder);
    await this.#backend.destroy({ backend: this.#backend.name, id, folder });
  }

  async close(): Promise<void> {
    for (const folder of [...this.#idle.keys()]) this.release(folder);
  }
}

/** Whether another sandbox or stream may do better. */
function isLost(error: unknown): boolean {
  return (
    error instanceof StreamCut ||
    error instanceof FrameError ||
    (error instanceof Nl2codeError && error.code === 'sandbox-lost')
  );
}

const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
