import type { Request } from '../session/request.js';
import { isCounted } from '../session/step.js';
import type { StepRecord } from '../session/step-record.js';
import { addSpent, NOTHING_SPENT, tokensOf, type Spent } from '../session/usage.js';

/** What a request has used so far, by its records. */
export interface Used {
  steps: number;
  spent: Spent;
  /** Unix time at the end of the last record. */
  at: number;
}

/** At the beginning of a request. */
export const NOTHING_USED: Used = { steps: 0, spent: NOTHING_SPENT, at: 0 };

/** `used` and one record more. Pure. */
export function usedWith(used: Used, { kind, spent, startedAt, ms }: StepRecord): Used {
  return { steps: used.steps + (isCounted(kind) ? 1 : 0), spent: addSpent(used.spent, spent), at: startedAt + ms };
}

/** What is left of a budget, as one line for the model; nothing is said of what has no bound. Pure: the time is that of the records. */
export function budgetText({ maxSteps, maxTokens, maxCostUsd, deadline }: Request['budget'], used: Used): string {
  const left = [`${Math.max(0, maxSteps - used.steps)} of ${maxSteps} steps`];
  if (maxTokens != null) left.push(`${Math.max(0, maxTokens - tokensOf(used.spent)).toLocaleString('en-US')} tokens`);
  if (maxCostUsd != null) left.push(`$${dollars(Math.max(0, maxCostUsd - used.spent.costUsd))}`);
  if (deadline != null) left.push(`${duration(Math.max(0, Date.parse(deadline) - used.at))} to the deadline`);
  return `[budget left: ${left.join(', ')}]`;
}

/** Never more than is left: rounded down. */
function dollars(usd: number): string {
  const places = usd >= 1 ? 2 : 4;
  // Sums of decimal fractions end in …999: a millionth of a cent is no money.
  return (Math.floor(usd * 10 ** places + 1e-6) / 10 ** places).toFixed(places);
}

function duration(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 2) return `${Math.floor(ms / 1000)} s`;
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
