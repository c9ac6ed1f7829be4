import type { StrategyName } from '../session/request.js';

/** An inclusive range of a numeric option, in the unit its name says. */
export interface Bound {
  min: number;
  max: number;
  whole: boolean;
}

const whole = (min: number, max: number): Bound => ({ min, max, whole: true });
const DAY_MS = 86_400_000;

/** What the configuration and a request may ask for; everything outside is refused before anything starts. */
export const BOUNDS = {
  cellTimeoutMs: whole(100, DAY_MS),
  scriptTimeoutMs: whole(100, DAY_MS),
  memoryBytes: whole(64 << 20, 2 ** 42),
  diskBytes: whole(1 << 20, 2 ** 44),
  maxRepairs: whole(0, 20),
  stepsPerRun: whole(1, 1000),
  maxSteps: whole(1, 10_000),
  maxCostUsd: { min: 0, max: 100_000, whole: false },
  maxTokens: whole(1000, 1e9),
  approvalExpiryMs: whole(1000, 365 * DAY_MS),
  maxOutputTokens: whole(16, 1_000_000),
  contextTokens: whole(4000, 100_000_000),
  stallMs: whole(100, 3_600_000),
  temperature: { min: 0, max: 2, whole: false },
  leaseMs: whole(1000, 7 * DAY_MS),
  pool: whole(0, 64),
  maxInputBytes: whole(1, 2 ** 46),
  maxPromptChars: whole(1, 10_000_000),
  port: whole(0, 65_535),
} satisfies Record<string, Bound>;

/** The bound as words: `a whole number from 1 to 10,000`. */
export function says({ min, max, whole: integer }: Bound): string {
  const n = (value: number) => value.toLocaleString('en-US');
  return `a ${integer ? 'whole ' : ''}number from ${n(min)} to ${n(max)}`;
}

export function within(bound: Bound, value: unknown): value is number {
  return typeof value === 'number' && value >= bound.min && value <= bound.max && (!bound.whole || Number.isInteger(value));
}

/** Repairs of a request that does not say. */
export const defaultRepairs: Record<StrategyName, number> = { codeact: 3, 'single-shot': 0, chained: 1, react: 3, auto: 3 };

/** Fewest steps in which a strategy can reach a verified script. */
export const fewestSteps: Record<StrategyName, number> = { codeact: 5, 'single-shot': 3, chained: 7, react: 5, auto: 3 };
