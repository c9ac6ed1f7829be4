import type { ResolvedConfig } from '../config.js';
import { BOUNDS, defaultRepairs, fewestSteps, says, within } from '../config/bounds.js';
import type { Price } from '../config.js';
import { LEAST_OUTPUT_TOKENS } from '../model/dialect.js';
import { worstCasePromptTokens, worstCaseUsd } from '../model/prices.js';
import { asks } from '../prompts/asks.js';
import { Nl2codeError } from '../session/error-table.js';
import type { Request, RequestBudget, RequestLimits, StrategyName } from '../session/request.js';
import { refusal, shown } from './refusal.js';
import { checkKeys, type RequestOptions } from './request-options.js';

const LIMITS = ['cellTimeoutMs', 'scriptTimeoutMs', 'memoryBytes', 'diskBytes', 'maxRepairs', 'stepsPerRun'] as const satisfies (keyof RequestLimits)[];
const BUDGET = ['maxSteps', 'maxCostUsd', 'maxTokens', 'deadline'] as const satisfies (keyof RequestBudget)[];

/** Limits with every field set; a value outside its bounds is refused with the bounds. Pure. */
export function resolveLimits(given: RequestOptions['limits'], config: ResolvedConfig, strategy: StrategyName): RequestLimits {
  if (given !== undefined) checkKeys(given, 'limits', LIMITS);
  const { limits } = config.defaults;
  const all: RequestLimits = { ...limits, maxRepairs: limits.maxRepairs ?? defaultRepairs[strategy], ...defined(given) };
  for (const key of LIMITS) check(`limits.${key}`, key, all[key]);
  return all;
}

/** The budget with every field set; refuses absurd values and one that no request of this strategy can keep. Reads the clock for a deadline. */
export function resolveBudget(given: RequestOptions['budget'], config: ResolvedConfig, strategy: StrategyName): RequestBudget {
  if (given !== undefined) checkKeys(given, 'budget', BUDGET);
  const all: RequestBudget = { ...config.defaults.budget, ...defined(given) };
  check('budget.maxSteps', 'maxSteps', all.maxSteps);
  if (all.maxCostUsd !== null) check('budget.maxCostUsd', 'maxCostUsd', all.maxCostUsd);
  if (all.maxTokens !== null) check('budget.maxTokens', 'maxTokens', all.maxTokens);
  if (all.deadline !== null) all.deadline = checkDeadline(all.deadline);
  const fewest = fewestSteps[strategy];
  if (all.maxSteps < fewest) throw refusal(`budget.maxSteps is ${all.maxSteps}, but strategy ${strategy} needs at least ${fewest} steps to reach a verified script: raise --max-steps.`);
  return all;
}

/** An instant in the future, as UTC. What is over when it begins would only be stopped. */
function checkDeadline(value: unknown): string {
  const at = typeof value === 'string' && /^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:?\d\d)$/.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(at)) throw refusal(`budget.deadline is ${shown(value)}, which is no instant: give one with its time zone, such as 2030-01-31T18:00:00Z.`);
  if (at <= Date.now()) throw refusal(`budget.deadline is ${shown(value)}, which has passed: give a later one.`);
  return new Date(at).toISOString();
}

/** Refuses a cost bound that can't be kept because nobody knows what the model costs. Pure. */
export function checkPrice(budget: RequestBudget, model: string, price: Price | undefined): void {
  if (budget.maxCostUsd === null || price) return;
  throw new Nl2codeError('price-unknown', `The price of model ${shown(model)} is not known, so a budget of ${budget.maxCostUsd} US dollars can't be kept.`);
}

/** Refuses a budget that the first model call alone might exceed: nothing would ever be asked. Pure. */
export function checkFirstCall({ budget, strategy, prompt, model }: Pick<Request, 'budget' | 'strategy' | 'prompt' | 'model'>, maxOutputTokens: number, price: Price | undefined): void {
  const rules = Object.values(asks).find(({ system }) => system.startsWith(`nl2code strategy: ${strategy}\n`))?.system ?? '';
  const promptChars = rules.length + prompt.length;
  const least = worstCasePromptTokens(promptChars) + LEAST_OUTPUT_TOKENS;
  const { maxTokens, maxCostUsd } = budget;
  if (maxTokens !== null && maxTokens < least) throw refusal(`budget.maxTokens is ${maxTokens}, but the first model call of strategy ${strategy} alone may take ${least} tokens: raise --max-tokens.`);
  if (maxCostUsd === null || !price) return;
  const usd = worstCaseUsd({ promptChars, maxOutputTokens: maxTokens === null ? maxOutputTokens : Math.min(maxOutputTokens, maxTokens) }, price);
  if (usd > maxCostUsd) throw refusal(`budget.maxCostUsd is ${maxCostUsd}, but one call of model ${shown(model)} alone may cost ${usd.toFixed(4)} US dollars: raise --max-cost-usd, or lower model.maxOutputTokens.`);
}

/** How long a proposal waits, in milliseconds. Pure. */
export function resolveExpiry(given: unknown, config: ResolvedConfig): number {
  const value = given ?? config.defaults.approvalExpiryMs;
  check('approval.expiryMs', 'approvalExpiryMs', value);
  return value as number;
}

function check(name: string, key: keyof typeof BOUNDS, value: unknown): void {
  if (!within(BOUNDS[key], value)) throw refusal(`${name} is ${shown(value)}, which is not ${says(BOUNDS[key])}: choose a value in these bounds.`);
}

function defined<T extends object>(given: T | undefined): Partial<T> {
  return Object.fromEntries(Object.entries(given ?? {}).filter(([, value]) => value !== undefined)) as Partial<T>;
}
