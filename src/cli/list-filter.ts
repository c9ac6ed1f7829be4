import { refusal, shown } from '../admission/refusal.js';
import { nearest } from '../config/nearest.js';
import { SESSION_STATES, type SessionFilter } from '../session-list.js';
import { STRATEGIES } from '../session/request.js';

/** The filter options of `list` as they were typed. */
export interface FilterOptions {
  status?: string;
  strategy?: string;
  label?: string[];
  since?: string;
  limit: number;
}

const UNITS_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const MAX_LIMIT = 100_000;

/** The filter that a command line means; `now` is in Unix milliseconds. Throws `bad-request` with one sentence. Pure. */
export function listFilter({ status, strategy, label, since, limit }: FilterOptions, now: number): SessionFilter {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) throw refusal(`--limit is ${shown(limit)}, which is not a whole number from 1 to 100,000: choose a value in these bounds.`);
  return {
    limit,
    ...(status === undefined ? {} : { status: oneOf('--status', status, SESSION_STATES) }),
    ...(strategy === undefined ? {} : { strategy: oneOf('--strategy', strategy, STRATEGIES) }),
    ...(label === undefined ? {} : { labels: Object.fromEntries(label.map(oneLabel)) }),
    ...(since === undefined ? {} : { since: instantBefore(since, now) }),
  };
}

function oneOf<T extends string>(option: string, value: string, known: readonly T[]): T {
  if ((known as readonly string[]).includes(value)) return value as T;
  const guess = nearest(value, known);
  throw refusal(`${option} is ${shown(value)}, which is not known: ${guess ? `did you mean ${guess}?` : `choose one of ${known.join(', ')}.`}`);
}

function oneLabel(text: string): [string, string | null] {
  const at = text.indexOf('=');
  if (at === 0 || text === '') throw refusal(`--label is ${shown(text)}, which has no key: give key=value, or a key alone for any value.`);
  return at < 0 ? [text, null] : [text.slice(0, at), text.slice(at + 1)];
}

function instantBefore(given: string, now: number): number {
  const [, count, unit] = /^(\d{1,6})([mhd])$/.exec(given) ?? [];
  if (count !== undefined) return now - Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS];
  const at = /^\d{4}-\d\d-\d\d(T.*)?$/.test(given) ? Date.parse(given) : Number.NaN;
  if (Number.isNaN(at)) throw refusal(`--since is ${shown(given)}, which is no time: give a time back from now (90m, 12h, 7d), or a date such as 2026-11-30.`);
  return at;
}
