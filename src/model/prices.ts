import type { Price } from '../config.js';
import type { Usage } from '../session/usage.js';

/** When the list prices below were taken from the providers' published pages. */
export const PRICES_AS_OF = '2026-06';

/**
 * US dollars per million tokens: prompt, cached prompt, completion. Standard tier, no batch or long-context surcharge.
 */
const LIST: Record<string, readonly [number, number, number]> = {
  'gpt-4o': [2.5, 1.25, 10],
  'gpt-4o-mini': [0.15, 0.075, 0.6],
  'gpt-4.1': [2, 0.5, 8],
  'gpt-4.1-mini': [0.4, 0.1, 1.6],
  'gpt-4.1-nano': [0.1, 0.025, 0.4],
  o3: [2, 0.5, 8],
  'o4-mini': [1.1, 0.275, 4.4],
  'gpt-5': [1.25, 0.125, 10],
  'gpt-5-mini': [0.25, 0.025, 2],
  'gpt-5-nano': [0.05, 0.005, 0.4],
  'gpt-5.1': [1.25, 0.125, 10],
  'gpt-5.4': [2.5, 0.25, 15],
  'gpt-5.4-mini': [0.75, 0.075, 4.5],
  'gpt-5.4-nano': [0.2, 0.02, 1.25],
  'gpt-5.5': [5, 0.5, 30],
  // The first snapshot of gpt-4o kept its launch price.
  'gpt-4o-2024-05-13': [5, 5, 15],
  scripted: [0, 0, 0],
};

/**
 * Price of a model: as declared in the configuration, else the list price (a dated snapshot has its model's), else
 * undefined. Pure.
 */
export function priceOf(model: string, declared: Record<string, Price> = {}): Price | undefined {
  if (Object.hasOwn(declared, model)) return declared[model];
  const name = [model, model.replace(/-\d{4}-\d{2}-\d{2}$/, '')].find((n) => Object.hasOwn(LIST, n));
  const row = name === undefined ? undefined : LIST[name];
  return row && { prompt: row[0], cached: row[1], completion: row[2] };
}

/** US dollars for counted tokens. Pure. */
export function costUsd(usage: Usage, price: Price): number {
  const fresh = usage.promptTokens - usage.cachedTokens;
  return (fresh * price.prompt + usage.cachedTokens * price.cached + usage.completionTokens * price.completion) / 1e6;
}

/** Tokens a prompt can come to: 2 characters a token, half of what text usually takes. Pure. */
export function worstCasePromptTokens(promptChars: number): number {
  return Math.ceil(promptChars / 2);
}

/** US dollars a call can come to: the whole prompt uncached at its worst, the reply at full length. Pure. */
export function worstCaseUsd(call: { promptChars: number; maxOutputTokens: number }, price: Price): number {
  return costUsd({ promptTokens: worstCasePromptTokens(call.promptChars), cachedTokens: 0, completionTokens: call.maxOutputTokens }, price);
}
