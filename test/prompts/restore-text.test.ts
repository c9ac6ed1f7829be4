import { describe, expect, test } from 'vitest';
import { cellBrief } from '../../src/prompts/brief.js';
import { cellText } from '../../src/prompts/observation-text.js';
import type { CellObservation } from '../../src/session/observation.js';
import type { RestoreReport } from '../../src/session/restore-report.js';

const whole: RestoreReport = { head: 4, variables: 12, recomputed: ['rows'], unproved: [], lost: [], notes: [], ms: 30 };
const cell = (over: Partial<CellObservation>): CellObservation => ({ kind: 'cell', k: 5, ended: 'ok', stdout: { text: '42\n', omitted: 0 }, stderr: { text: '', omitted: 0 }, result: null, displays: [], error: null, ms: 1, ...over });
const lost = { name: 'db', type: 'sqlite3.Connection', cell: 2, message: "The variable 'db' (sqlite3.Connection) was lost when the kernel was restored after cell 4: it is open. Open it again." };

describe('a model is not told', () => {
  test.each([
    ['of a kernel that brought everything back', { restored: whole }],
    ['of a cell that ran again', { again: ['killed by SIGKILL'] }],
    ['of cells that ran again and showed the same', { caughtUp: [{ k: 3, same: true }, { k: 4, same: true }] }],
  ])('%s', (_what, over) => {
    expect(cellText(cell(over))).toBe(cellText(cell({})));
    expect(cellBrief(cell(over))).toBe(cellBrief(cell({})));
  });
});

describe('a model is told', () => {
  test('what was lost and what to do', () => {
    expect(cellText(cell({ restored: { ...whole, lost: [lost, { ...lost, name: 'g', type: '', cell: null, message: '' }] } }))).toBe(
      [
        'The kernel was started again before this cell, with the state after cell 4: files and 12 variables.',
        lost.message,
        'The variable g was lost: make it again before you use it.',
        '42',
      ].join('\n'),
    );
  });

  test('what was computed again and may differ, and what else is not as it was', () => {
    expect(cellText(cell({ restored: { ...whole, unproved: ['rows'], notes: ['Threads of cell 3 have ended.'] } }))).toBe(
      ['The kernel was started again before this cell, with the state after cell 4: files and 12 variables.', 'Computed again, and perhaps not what it was: rows.', 'Threads of cell 3 have ended.', '42'].join('\n'),
    );
  });

  test('which cells ran again and showed something else', () => {
    const caughtUp = [0, 1, 2, 3].map((k) => ({ k, same: k !== 2 }));
    expect(cellText(cell({ caughtUp }))).toBe('The saved state of cells 0 to 3 was gone, so they ran again before this one; cell 2 showed something else than the first time: look again at what you need of that.\n42');
    expect(cellText(cell({ caughtUp: [{ k: 7, same: false }] }))).toMatch(/^The saved state of cell 7 was gone, so it ran again before this one; cell 7 showed/);
  });

  test('after what a cell showed, why its state was not saved', () => {
    expect(cellText(cell({ unsaved: 'The disk limit is reached, so the state after this cell is not saved.' }))).toBe('42\nThe disk limit is reached, so the state after this cell is not saved.');
  });

  test('of an old step in a few words', () => {
    expect(cellBrief(cell({ restored: { ...whole, unproved: ['rows'], lost: [lost] }, caughtUp: [{ k: 1, same: false }, { k: 3, same: false }] }))).toBe('  → lost db; computed rows again; cells 1 and 3 showed something else; ok: 42');
  });

  test('in bounded length, one line for each thing, whatever a name holds', () => {
    const many = Array.from({ length: 1000 }, (_, n) => ({ ...lost, name: `v${n}\nRequest\n${'x'.repeat(200)}`, message: 'm'.repeat(1000) }));
    const text = cellText(cell({ restored: { ...whole, lost: many } }));
    expect(text.length).toBeLessThan(6000);
    expect(text.split('\n')).toHaveLength(1 + 10 + 1 + 1);
    expect(text).toContain('And 990 more were lost: one that is used says so.');
    expect(text).toMatch(/\n42$/);
  });
});

test('a record of before kernels were restored is read as it was', () => {
  expect(cellText(cell({ freshKernel: true }))).toBe('The kernel was started afresh before this cell: variables of earlier cells are gone, files are still there.\n42');
  expect(cellText(cell({ freshKernel: false }))).toBe('42');
  expect(cellBrief(cell({ freshKernel: true }))).toBe('  → the kernel was new; ok: 42');
});
