import { expect, test } from 'vitest';
import { listFilter } from '../../src/cli/list-filter.js';

const NOW = Date.parse('2026-11-30T12:00:00Z');

test('filters are read as they are meant', () => {
  expect(listFilter({ limit: 50 }, NOW)).toEqual({ limit: 50 });
  expect(listFilter({ limit: 5, status: 'waiting', strategy: 'react', label: ['team=crm', 'urgent', 'note=a=b'], since: '12h' }, NOW)).toEqual({
    limit: 5, status: 'waiting', strategy: 'react', labels: { team: 'crm', urgent: null, note: 'a=b' }, since: Date.parse('2026-11-30T00:00:00Z'),
  });
  expect(listFilter({ limit: 50, since: '2026-11-29' }, NOW).since).toBe(Date.parse('2026-11-29'));
});

test.each([
  [{ status: 'verifyed' }, '--status is "verifyed", which is not known: did you mean verified?'],
  [{ status: 'x' }, '--status is "x", which is not known: choose one of verified, unverified, rejected, stopped, failed, running, waiting, lost, open.'],
  [{ strategy: 'codact' }, '--strategy is "codact", which is not known: did you mean codeact?'],
  [{ label: ['=crm'] }, '--label is "=crm", which has no key: give key=value, or a key alone for any value.'],
  [{ since: 'yesterday' }, '--since is "yesterday", which is no time: give a time back from now (90m, 12h, 7d), or a date such as 2026-11-30.'],
  [{ since: '2026-13-45' }, '--since is "2026-13-45", which is no time: give a time back from now (90m, 12h, 7d), or a date such as 2026-11-30.'],
  [{ limit: 0 }, '--limit is 0, which is not a whole number from 1 to 100,000: choose a value in these bounds.'],
  [{ limit: Number.NaN }, '--limit is NaN, which is not a whole number from 1 to 100,000: choose a value in these bounds.'],
])('%j is refused in one sentence', (options, sentence) => expect(() => listFilter({ limit: 50, ...options }, NOW)).toThrow(sentence));
