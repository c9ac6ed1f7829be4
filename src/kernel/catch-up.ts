/**
 * Brings a kernel to where a cell needs it. The session's chain decides what was run: committed cells that the kernel has lost run again in
 * order, their tools answered from memory; what it has and the chain has not is taken back.
 * Before cells run again, whoever has a later state elsewhere may give it to the kernel.
 * Invariants:
 * (1) a cell is run only by a kernel that stands directly before it;
 * (2) a cell that runs again is not interrupted, since a part of it would be committed for the whole;
 * (3) it ends: a kernel that still stands elsewhere after a few rounds is an error.
 */
import type { RestoreReport } from '../session/restore-report.js';
import { refusalError, type Refusal } from './connection.js';
import type { KernelCell, KernelHooks, KernelResult } from './kernels.js';

/** What came of one cell, or the refusal of a kernel that stands elsewhere. */
export type Asked = KernelResult | { elsewhere: Refusal };

/** A kernel as seen from here. */
export interface Standing {
  /** Runs a cell, or learns its result. `again`: it had run before. */
  ask(cell: KernelCell, again: boolean): Promise<Asked>;
  /** Takes back what it committed or runs from cell `k` on. */
  rollBack(k: number): Promise<void>;
  /**
   * Gives it a later state than that after cell `head`, from elsewhere, and returns its cell; undefined where there is none, and all is as it was.
   * `moved`: somebody else has come meanwhile, so what it had said holds no more.
   */
  renew?(head: number): Promise<number | 'moved' | undefined>;
}

type Hooks = Pick<KernelHooks, 'signal' | 'onCatchUp' | 'onCaughtUp'>;

/** What the cells before it came to. */
interface Before {
  restored: RestoreReport | null;
  again: string[];
}

const MAX_ROUNDS = 5;

/** Runs a cell on a kernel that may have lost its past. Throws the refusal's error where the cell's past is not given. */
export async function runFrom(kernel: Standing, cell: KernelCell, hooks: Hooks): Promise<KernelResult> {
  const before: Before = { restored: null, again: [] };
  let found = await kernel.ask(cell, false);
  for (let round = 1; 'elsewhere' in found; round += 1) {
    const { elsewhere } = found;
    if (!cell.past || round > MAX_ROUNDS) throw refusalError(elsewhere);
    hooks.signal.throwIfAborted();
    const { head } = elsewhere;
    const renewed = round === 1 && head < cell.k - 1 ? await kernel.renew?.(head) : undefined;
    hooks.signal.throwIfAborted();
    if (renewed !== undefined) {
      if (renewed !== 'moved') hooks.onCatchUp?.(renewed + 1);
      found = await kernel.ask(cell, false);
      continue;
    }
    if (head >= cell.k - 1) await kernel.rollBack(cell.k);
    else if (head < 0) await kernel.rollBack(0);
    found = (await catchUp(kernel, cell, head, hooks, before)) ?? (await kernel.ask(cell, false));
  }
  const { reply, again } = found;
  return { ...found, reply: { ...reply, restored: reply.restored ?? before.restored }, again: [...before.again, ...again] };
}

/** Runs the cells after `head` and before the cell; undefined when the kernel then stands before it. */
async function catchUp(kernel: Standing, cell: KernelCell, head: number, { signal, onCatchUp, onCaughtUp }: Hooks, before: Before): Promise<Asked | undefined> {
  for (let k = head + 1; k < cell.k; k += 1) {
    signal.throwIfAborted();
    onCatchUp?.(k);
    const found = await kernel.ask({ ...cell, maxRuns: undefined, ...cell.past!(k), k }, true);
    if ('elsewhere' in found) return found;
    before.restored ??= found.reply.restored;
    before.again.push(...found.again);
    await onCaughtUp?.(k, found);
  }
  onCatchUp?.(cell.k);
  return undefined;
}
