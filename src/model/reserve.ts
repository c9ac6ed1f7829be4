import type { Price } from '../config.js';
import { Nl2codeError } from '../session/error-table.js';
import type { RequestBudget } from '../session/request.js';
import { tokensOf, type Spent } from '../session/usage.js';
import type { Reservation } from '../store/chain.js';
import { LEAST_OUTPUT_TOKENS } from './dialect.js';
import { worstCasePromptTokens, worstCaseUsd } from './prices.js';

/**
 * What a call may come to, bounded by what its request has left: under `maxTokens` the reply is made to fit. Throws `budget-exceeded`
 * when the call might not fit, `price-unknown` when nobody can tell. Pure.
 */
export function reserve(
  budget: Pick<RequestBudget, 'maxCostUsd' | 'maxTokens'>,
  spent: Spent,
  call: { promptChars: number; maxOutputTokens: number },
  price: Price | undefined,
): Reservation & { maxOutputTokens: number } {
  const { maxCostUsd, maxTokens } = budget;
  const prompt = worstCasePromptTokens(call.promptChars);
  let { maxOutputTokens } = call;
  if (maxTokens) {
    const used = tokensOf(spent);
    maxOutputTokens = Math.min(maxOutputTokens, maxTokens - used - prompt);
    if (maxOutputTokens < LEAST_OUTPUT_TOKENS) throw new Nl2codeError('budget-exceeded', `budget: ${used} of ${maxTokens} tokens are spent and the next call may take ${prompt + LEAST_OUTPUT_TOKENS}.`);
  }
  const usd = price ? worstCaseUsd({ promptChars: call.promptChars, maxOutputTokens }, price) : 0;
  if (maxCostUsd !== null) {
    if (!price) throw new Nl2codeError('price-unknown', 'The price of this model is not known, so a cost bound can not be kept.');
    if (spent.costUsd + usd > maxCostUsd) throw new Nl2codeError('budget-exceeded', `budget: $${spent.costUsd.toFixed(4)} of $${maxCostUsd} are spent and the next call may cost $${usd.toFixed(4)}.`);
  }
  return { usd, tokens: prompt + maxOutputTokens, maxOutputTokens };
}
