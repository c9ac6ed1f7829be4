import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { expect, test } from 'vitest';
import { toActivityFailure } from '../../src/model/classify-error.js';
import { type ErrorCode, errorTable, Nl2codeError } from '../../src/session/error-table.js';

test.each(Object.keys(errorTable) as ErrorCode[])(
  '%s fails the activity under its code, retried as the table says',
  (code) => {
    const failure = toActivityFailure(
      new Nl2codeError(code, 'It broke.', { cause: new Error('private') }),
    ) as ApplicationFailure;
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure.type).toBe(code);
    expect(failure.nonRetryable).toBe(!errorTable[code].retryable);
    expect(failure.message).toContain(errorTable[code].remedy);
    expect(failure.cause).toBeUndefined();
  },
);

test('a wait the endpoint asked for becomes the next delay, and a wait of zero none', () => {
  const after = (retryAfterMs: number) =>
    toActivityFailure(new Nl2codeError('model-rate-limited', 'x', { retryAfterMs })) as ApplicationFailure;
  expect(after(1_500).nextRetryDelay).toBe(1_500);
  expect(after(0).nextRetryDelay).toBeUndefined();
});

test('a cancellation stays a cancellation, in both of its forms', () => {
  const cancelled = new CancelledFailure('CANCELLED');
  expect(toActivityFailure(cancelled)).toBe(cancelled);
  expect(toActivityFailure(new DOMException('gone', 'AbortError'))).toBeInstanceOf(CancelledFailure);
});

test('a failure somebody made on purpose is left alone', () => {
  const failure = ApplicationFailure.nonRetryable('mine', 'Mine');
  expect(toActivityFailure(failure)).toBe(failure);
});

test('a full disk is store-full; anything else is unexpected, retried and bounded', () => {
  expect(toActivityFailure(Object.assign(new Error('no space'), { code: 'ENOSPC' }))).toMatchObject({
    type: 'store-full',
    nonRetryable: false,
  });
  expect(toActivityFailure(new TypeError('x is not a function'))).toMatchObject({
    type: 'unexpected',
    nonRetryable: false,
    message: 'TypeError: x is not a function',
  });
  expect(toActivityFailure('a string')).toMatchObject({ type: 'unexpected', message: 'a string' });
  expect(toActivityFailure(new Error('y'.repeat(9_999))).message.length).toBe(2_000);
});
