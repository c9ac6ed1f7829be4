import { nearest } from '../config/nearest.js';
import type { Exposure } from '../session/exposure.js';
import type { ApprovalPolicy, RequestBudget, RequestLimits } from '../session/request.js';
import { refusal, shown } from './refusal.js';

/** A request as given: all JSON, everything but the prompt optional. `admit` makes a `Request` of it. */
export interface RequestOptions {
  prompt: string;
  strategy?: string;
  /** Name of a context pack; null for none although the configuration names one. */
  pack?: string | null;
  /** Paths of files, relative ones to the working directory; one may say what a model may read of it at most. */
  inputs?: (string | { path: string; exposure?: Exposure })[];
  /** Paths of files that only checks may read. */
  truth?: string[];
  /** Files the script promises to write, relative to its working folder. */
  outputs?: (string | { path: string })[];
  /** Names of tools of the worker that code in a cell may call; when missing those of `tools.allow` in the configuration. */
  tools?: string[];
  /** What of the data a model may read: `schema`, `masked` or `full`. */
  exposure?: Exposure;
  model?: string;
  sandbox?: string;
  isolation?: string;
  limits?: Partial<RequestLimits>;
  budget?: Partial<RequestBudget>;
  approval?: ApprovalPolicy | { policy: ApprovalPolicy; expiryMs?: number };
  /** The same key names the same session: a request sent twice runs once. */
  idempotencyKey?: string;
  labels?: Record<string, string>;
}

const KEYS = {
  prompt: true,
  strategy: true,
  pack: true,
  inputs: true,
  truth: true,
  outputs: true,
  tools: true,
  exposure: true,
  model: true,
  sandbox: true,
  isolation: true,
  limits: true,
  budget: true,
  approval: true,
  idempotencyKey: true,
  labels: true,
} satisfies Record<keyof RequestOptions, true>;

/** Refuses what is not an object of known keys, with the nearest known one. */
export function checkKeys(given: unknown, what: string, known: readonly string[] = Object.keys(KEYS)): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw refusal(`${what} is ${shown(given)}: give an object with any of ${known.join(', ')}.`);
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue;
    const guess = nearest(key, known);
    throw refusal(`${what} has the unknown key ${shown(key)}: ${guess ? `did you mean ${shown(guess)}?` : `the known keys are ${known.join(', ')}.`}`);
  }
}

/** Refuses what is not a list of texts. */
export function checkTexts(given: unknown, what: string): string[] {
  if (!Array.isArray(given) || given.some((item) => typeof item !== 'string')) throw refusal(`${what} is ${shown(given)}: give a list of texts.`);
  return given as string[];
}
