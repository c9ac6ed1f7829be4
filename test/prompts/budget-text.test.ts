import { describe, expect, test } from 'vitest';
import { budgetText, NOTHING_USED, usedWith } from '../../src/prompts/budget-text.js';
import { NOTHING_SPENT } from '../../src/session/usage.js';
import { record } from '../store/record.js';

const steps = { maxSteps: 40, maxTokens: null, maxCostUsd: null, deadline: null };
const at = Date.parse('2030-01-01T12:00:00Z');
const used = { steps: 7, spent: { ...NOTHING_SPENT, promptTokens: 9000, completionTokens: 500, lostTokens: 100, costUsd: 0.1 + 0.2 }, at };

describe('what is left of a budget', () => {
  test('is told for what is bounded, and for nothing else', () => {
    expect(budgetText(steps, used)).toBe('[budget left: 33 of 40 steps]');
    expect(budgetText({ maxSteps: 40, maxTokens: 20_000, maxCostUsd: 0.4, deadline: '2030-01-01T12:14:59Z' }, used)).toBe('[budget left: 33 of 40 steps, 10,400 tokens, $0.1000, 14 min to the deadline]');
  });

  test.each([
    [59_999, '59 s'],
    [119_999, '119 s'],
    [120_000, '2 min'],
    [3_600_000 * 5 + 60_000, '5 h 1 min'],
    [-1, '0 s'],
  ])('%i ms to the deadline is %s', (ms, says) => expect(budgetText({ ...steps, deadline: new Date(at + ms).toISOString() }, used)).toContain(`, ${says} to the deadline]`));

  test('is never less than nothing, and never more than is left', () => {
    const over = { steps: 50, spent: { ...NOTHING_SPENT, promptTokens: 30_000, costUsd: 9 }, at };
    expect(budgetText({ ...steps, maxTokens: 20_000, maxCostUsd: 1 }, over)).toBe('[budget left: 0 of 40 steps, 0 tokens, $0.0000]');
    expect(budgetText({ ...steps, maxCostUsd: 3 }, { ...over, spent: { ...NOTHING_SPENT, costUsd: 0.001 } })).toContain('$2.99');
  });

  test('counts records: brackets are no steps, and the time is that of the last', () => {
    const seen = ([['open', 0], ['plan', 5], ['execute', 7]] as const).reduce((sum, [kind, calls]) => usedWith(sum, record({ kind, spent: { ...NOTHING_SPENT, calls }, startedAt: 100, ms: 5 })), NOTHING_USED);
    expect(seen).toEqual({ steps: 2, spent: { ...NOTHING_SPENT, calls: 12 }, at: 105 });
  });
});
