import { expect, test } from 'vitest';
import type { Changes } from '../../src/session/changes.js';
import { changesThrough, changesWithoutValues } from '../../src/session/shown-changes.js';

const CANARY = 'canary@example.com';
const changes: Changes = {
  against: 'r1',
  script: { before: 'a'.repeat(64), added: 1, removed: 1, diff: `-x\n+${CANARY}` },
  problem: CANARY,
  outputs: [
    { path: 'a.csv', kind: 'table', table: { rows: [9, 8], key: ['id'], left: 1, came: 0, changed: 2, moved: false, cells: [[CANARY, 2]], added: [CANARY], removed: [CANARY], totals: [{ column: CANARY, before: 4711, after: 4712 }], groups: [{ column: 'g', values: [[CANARY, 1, 2]] }] } },
    { path: CANARY, kind: 'values', values: [{ at: CANARY, before: CANARY, after: '4711' }], detail: CANARY },
    { path: 'c.txt', kind: 'text', lines: [1, 2] },
  ],
};

test('changes passed through a mask hold nothing that it hides, and every number', () => {
  const seen = changesThrough(changes, (text) => text.replaceAll(CANARY, '‹mail›'));
  expect(JSON.stringify(seen)).not.toContain(CANARY);
  expect(seen.outputs![0]!.table).toMatchObject({ rows: [9, 8], totals: [{ before: 4711, after: 4712 }], groups: [{ column: 'g', values: [['‹mail›', 1, 2]] }] });
  expect(changesThrough(changes, (text) => text)).toEqual(changes);
});

test('changes without values hold kinds and counts of rows, and names that are known', () => {
  const seen = changesWithoutValues(changes, (name) => ['a.csv', 'id', 'c.txt'].includes(name), false);
  const text = JSON.stringify(seen);
  expect(text).not.toContain(CANARY);
  expect(text).not.toContain('471');
  expect(seen.outputs).toMatchObject([{ path: 'a.csv', kind: 'table', table: { rows: [9, 8], key: ['id'], left: 1, changed: 2 } }, { path: 'output 2', kind: 'values' }, { path: 'c.txt', lines: [1, 2] }]);
});
