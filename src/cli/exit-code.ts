import { Nl2codeError } from '../session/error-table.js';
import type { Status } from '../session/verdict.js';

/** What cron and scripts see. */
export const EXIT: Record<Status, number> & { usage: number; broken: number } = { verified: 0, failed: 1, unverified: 2, rejected: 3, stopped: 4, usage: 64, broken: 1 };

/** Refusals are 64; what broke on the way is 1. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof Nl2codeError)) return EXIT.broken;
  return ['temporal-unavailable', 'store-corrupt', 'store-full', 'sandbox-lost', 'fenced'].includes(error.code) ? EXIT.broken : EXIT.usage;
}
