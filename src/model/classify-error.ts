import { ApplicationFailure, CancelledFailure, TemporalFailure } from '@temporalio/common';
import { type ErrorCode, errorTable, Nl2codeError } from '../session/error-table.js';

/**
 * What an activity throws, from anything that was thrown in it. An error of the table becomes an `ApplicationFailure`
 * whose type is
 * its code, retried by Temporal or not as the table says and not before `retryAfterMs`; a full disk is `store-full`;
 * anything else
 * is `unexpected` and retried. A cancellation stays a cancellation, and a Temporal failure stays what it is. Pure; runs
 * in workers.
 * No cause is kept: history is no place for bodies and headers, and the message says it all.
 */
export function toActivityFailure(error: unknown): TemporalFailure {
  if (error instanceof TemporalFailure) return error;
  if (error instanceof Error && error.name === 'AbortError') return new CancelledFailure(error.message);
  const known = toKnown(error);
  if (known) {
    const wait = known.retryAfterMs;
    return ApplicationFailure.create({
      type: known.code,
      message: known.message,
      nonRetryable: !errorTable[known.code].retryable,
      // The server reads a delay of zero as none given.
      ...(wait !== undefined && wait > 0 && { nextRetryDelay: wait }),
    });
  }
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const failure = ApplicationFailure.create({ type: 'unexpected', message: text.slice(0, 2_000) });
  if (error instanceof Error && error.stack) failure.stack = error.stack.slice(0, 4_000);
  return failure;
}

function toKnown(error: unknown): { code: ErrorCode; message: string; retryAfterMs: number | undefined } | null {
  if (!(error instanceof Error)) return null;
  const code = 'code' in error ? String(error.code) : '';
  // By name: the class exists twice when a bundle and a package both hold it.
  if (error.name === 'Nl2codeError' && Object.hasOwn(errorTable, code)) {
    return { code: code as ErrorCode, message: error.message, retryAfterMs: (error as Nl2codeError).retryAfterMs };
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') return new Nl2codeError('store-full', `The disk is full (${code}).`);
  return null;
}
