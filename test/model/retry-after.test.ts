import { expect, test } from 'vitest';
import { retryAfterMs } from '../../src/model/retry-after.js';

const NOW = Date.parse('2026-03-02T10:00:00Z');

test.each<[Record<string, string>, number | undefined]>([
  [{ 'retry-after': '3' }, 3_000],
  [{ 'retry-after': '1.5' }, 1_500],
  [{ 'retry-after': 'Mon, 02 Mar 2026 10:00:30 GMT' }, 30_000],
  [{ 'retry-after': 'Monday, 02-Mar-26 10:00:30 GMT' }, 30_000],
  [{ 'retry-after': 'Mon, 02 Mar 2026 09:00:00 GMT' }, 0],
  [{ 'retry-after': '-4' }, 0],
  [{ 'retry-after': '86400' }, 600_000],
  [{ 'retry-after-ms': '120', 'retry-after': '9' }, 120],
  [{ 'retry-after-ms': 'soon', 'retry-after': '9' }, 9_000],
  [{ 'retry-after': 'soon' }, undefined],
  [{}, undefined],
])('%j waits %s ms', (headers, ms) => {
  expect(retryAfterMs(new Headers(headers), NOW)).toBe(ms);
});
