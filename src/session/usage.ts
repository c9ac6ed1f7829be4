/** Tokens as the endpoint counted them. */
export interface Usage {
  promptTokens: number;
  /** The part of `promptTokens` that the endpoint served from its cache. */
  cachedTokens: number;
  completionTokens: number;
}

/** What steps have cost. `lostCalls` are attempts that began a model call and died before its reply was stored; their reservation is in `costUsd`. */
export interface Spent extends Usage {
  calls: number;
  lostCalls: number;
  /** US dollars, without the `unpriced` calls. */
  costUsd: number;
  /** Tokens that were reserved for the `lostCalls`; absent when there are none. */
  lostTokens?: number;
  /** Calls of models whose price is not known; absent when there are none. */
  unpriced?: number;
}

export const NOTHING_SPENT: Spent = { promptTokens: 0, cachedTokens: 0, completionTokens: 0, calls: 0, lostCalls: 0, costUsd: 0 };

/** Tokens that count against `maxTokens`: those of lost calls among them. Pure. */
export const tokensOf = ({ promptTokens, completionTokens, lostTokens }: Spent): number => promptTokens + completionTokens + (lostTokens ?? 0);

/** Component-wise sum. */
export function addSpent(a: Spent, b: Spent): Spent {
  const unpriced = (a.unpriced ?? 0) + (b.unpriced ?? 0);
  const lostTokens = (a.lostTokens ?? 0) + (b.lostTokens ?? 0);
  return {
    promptTokens: a.promptTokens + b.promptTokens,
    cachedTokens: a.cachedTokens + b.cachedTokens,
    completionTokens: a.completionTokens + b.completionTokens,
    calls: a.calls + b.calls,
    lostCalls: a.lostCalls + b.lostCalls,
    costUsd: a.costUsd + b.costUsd,
    ...(lostTokens > 0 ? { lostTokens } : {}),
    ...(unpriced > 0 ? { unpriced } : {}),
  };
}
