/** What a kernel that has lost its past is given of it again, from the chain. Host side. */
import { placeFile } from '../sandbox/place-file.js';
import { Nl2codeError } from '../session/error-table.js';
import { exposureOf } from '../session/exposure.js';
import type { Fact } from '../session/facts.js';
import type { CellEnd, CellObservation } from '../session/observation.js';
import type { Request } from '../session/request.js';
import type { ExecuteTarget, StepIO } from '../session/step.js';
import type { Link } from '../store/chain.js';
import type { SessionFolder } from '../store/session-store.js';
import { lookCell } from './exposure.js';
import { lastVerified } from './last-verified.js';
import { observationOf, requestOf } from './past.js';

/** A cell that the chain holds. */
export interface PastCell {
  target: Exclude<ExecuteTarget, 'script'>;
  request: Request;
  /** Records before it, and the facts that came with it. */
  before: readonly Link[];
  facts: readonly Fact[];
  code: string;
  /** How long it may take: one that a person interrupted is interrupted again. */
  timeoutMs: number;
  ended: CellEnd;
  /** Digest of what it showed. */
  sig: string;
}

/** The cells of a session's kernel before the one that runs now. */
export class PastCells {
  /** Where their records stand in the chain. */
  readonly #at: number[];

  constructor(
    private readonly folder: SessionFolder,
    private readonly past: readonly Link[],
  ) {
    this.#at = past.flatMap(({ record }, at) => (record.kind === 'execute' && argsOf(record.args).target !== 'script' ? [at] : []));
  }

  /** Number of the next cell: every inspection and cell so far had one. */
  get next(): number {
    return this.#at.length;
  }

  /** The record of cell `k`; undefined for one that the chain does not have. */
  link(k: number): Link | undefined {
    const at = this.#at[k];
    return at === undefined ? undefined : this.past[at];
  }

  /** Cell `k` as it ran. Throws `store-corrupt` when the chain does not hold it. */
  cell(k: number): PastCell {
    const at = this.#at[k];
    const link = this.link(k);
    if (!link) throw new Nl2codeError('store-corrupt', `Cell ${k} has to run again, and the session's chain does not hold it.`);
    const { target, code } = argsOf(link.record.args);
    const before = this.past.slice(0, at);
    const { request } = requestOf(before);
    const { ended, ms } = observationOf(this.folder, link) as CellObservation;
    const { cellTimeoutMs } = request.limits;
    return {
      target: target as PastCell['target'],
      request,
      before,
      facts: link.record.facts,
      code: target === 'inspect' ? lookCell(exposureOf(request) !== 'full') : code && 'text' in code ? code.text : this.folder.blobs.read(link.record.refs.code!),
      timeoutMs: ended === 'interrupted' ? Math.min(cellTimeoutMs, Math.max(1, Math.ceil(ms))) : cellTimeoutMs,
      ended,
      sig: (link.record.value as unknown as StepIO['execute']['value']).sig,
    };
  }

  /** Puts into the workspace what the host had put there between cell `k` and the one before it: the script that a follow-up goes on from. */
  place(k: number): void {
    const from = k === 0 ? 0 : this.#at[k - 1]! + 1;
    for (let at = from; at < (this.#at[k] ?? this.past.length); at += 1) {
      if (this.past[at]!.record.kind !== 'open') continue;
      const last = lastVerified(this.folder, this.past.slice(0, at));
      if (last) placeFile(this.folder.sandbox, last.path, last.script.text);
    }
  }
}

const argsOf = (args: unknown) => args as StepIO['execute']['args'];

/** Whether a cell that ran again came to the same: one that was ended from outside only has to end so again. Pure. */
export function cameToSame({ ended, sig }: Pick<PastCell, 'ended' | 'sig'>, again: { ended: CellEnd; sig: string }): boolean {
  const byItself = (end: CellEnd) => end === 'ok' || end === 'error';
  return byItself(ended) ? sig === again.sig : !byItself(again.ended);
}
