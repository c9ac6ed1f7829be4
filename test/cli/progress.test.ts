import { describe, expect, test } from 'vitest';
import { advance, dollars, liveLine, NO_PROGRESS, seconds, type Progress, type StepDetail } from '../../src/cli/progress.js';
import type { SessionEvent } from '../../src/session/event.js';

const event = (seq: number, kind: SessionEvent['kind'], rest: Partial<SessionEvent> = {}): SessionEvent => ({ at: 1000, seq, attempt: 1, n: 0, kind, ...rest });
const finished = (seq: number, step: SessionEvent['step'], costUsd = 0, ms = 250, unpriced = 0) => event(seq, 'step-finished', { step, data: { ms, spent: { costUsd, unpriced }, value: {} } });
const detail = (given: Partial<StepDetail>) => () => ({ lines: [], ok: null, ...given });
const texts = (events: SessionEvent[], read: (seq: number) => StepDetail | null = () => null): string[] => {
  let progress: Progress = NO_PROGRESS;
  return events.flatMap((each) => {
    const step = advance(progress, each, read);
    progress = step.progress;
    return step.lines.map(({ text }) => text.trimEnd());
  });
};

describe('a finished step is a line', () => {
  test('with number, name, time, and cost where a model was asked', () => {
    expect(texts([finished(2, 'plan', 0.0123)], detail({ lines: ['3 steps'] }))).toEqual([`  2 plan     ${'3 steps'.padEnd(56)}  0.3 s  $0.012`]);
    expect(texts([finished(3, 'execute')], detail({ target: 'cell', lines: ['df.head()'], ok: true }))).toEqual([`  3 cell     ${'df.head() ✓'.padEnd(56)}  0.3 s`]);
  });

  test('with its further lines below', () => {
    const lines = texts([finished(4, 'execute')], detail({ target: 'script', lines: ['runs ✗', 'it raised'], ok: false }));
    expect(lines[0]).toMatch(/verify   runs ✗ +0.3 s$/);
    expect(lines[1]).toBe('             it raised');
  });

  test('but not open and close', () => expect(texts([finished(0, 'open'), finished(9, 'close')])).toEqual([]));
  test('also without its record', () => expect(texts([finished(2, 'plan')])).toEqual([`  2 plan     ${' '.repeat(56)}  0.3 s  $0.000`]));
  test('of clean text, whatever a model wrote', () => expect(texts([finished(2, 'plan')], detail({ lines: ['\u001b[31mred\nline\u202e'] }))[0]).toContain('red line '));
});

test('a further attempt is told', () =>
  expect(texts([event(3, 'step-started', { step: 'execute', attempt: 2 })])).toEqual(['   attempt 2 of   3 execute: goes on where the last one was lost']));
test('a failure says whether it is tried again', () => {
  expect(texts([event(3, 'step-failed', { step: 'code', data: { message: 'no answer', retryable: true } })])).toEqual(['  3 code ✗ no answer; it is tried again']);
  expect(texts([event(3, 'step-failed', { step: 'code', data: { message: 'wrong key', retryable: false } })])).toEqual(['  3 code ✗ wrong key']);
});
describe('a kernel is told of', () => {
  test.each([
    ['that was lost with its sandbox', 'kernel-lost', {}, 'the sandbox ended under the cell: another goes on from the saved state'],
    ['that died under a cell', 'cell-again', { k: 4, run: 2, message: 'killed by SIGKILL.' }, 'the cell runs again from the state before it: killed by SIGKILL.'],
    ['that is back', 'kernel-restored', { head: 3, variables: 1, ms: 4.6, recomputed: ['g'], lost: ['db'] }, 'the kernel is back at cell 3: 1 variable in 5 ms; computed again: g; lost: db'],
    ['that had to catch up', 'cell-caught-up', { k: 2, same: false }, 'cell 2 ran again, since its saved state was gone, and showed something else'],
    ['whose state is not saved', 'state-unsaved', { message: 'The disk is full.\u001b[2J' }, 'The disk is full.'],
  ] as const)('%s', (_what, kind, data, said) => expect(texts([event(3, kind, { data: data as never })])).toEqual([`   ${said}`]));
});

describe('the live line', () => {
  const run = (...events: SessionEvent[]) => events.reduce((progress, each) => advance(progress, each, () => null).progress, NO_PROGRESS);

  test('shows elapsed time, tokens as they come and the cost so far', () => {
    const progress = run(finished(1, 'plan', 0.5), event(2, 'step-started', { step: 'code', at: 2000 }), event(2, 'model-delta', { data: { text: 'x'.repeat(40) } }));
    expect(liveLine(progress, 6500)).toBe('  2 code     4.5 s  ~10 tokens  $0.500');
  });
  test('shows the last line of output, cleaned', () => {
    const progress = run(event(2, 'step-started', { step: 'execute' }), event(2, 'cell-output', { data: { text: 'one\n\u001b[2Jtwo\n' } }));
    expect(liveLine(progress, 1000)).toBe('  2 execute  0.0 s  $0.000  two');
  });
  test('is nothing between steps', () => expect(liveLine(run(event(2, 'step-started', { step: 'code' }), finished(2, 'code')), 9)).toBeNull());
  test('ignores output of another step', () => expect(run(event(2, 'step-started', { step: 'code' }), event(1, 'model-delta', { data: { text: 'late' } })).running?.chars).toBe(0));
});

test('events of a shape nobody knows are nothing', () => {
  for (const data of [null, 7, 'x', [1], { spent: 'x', ms: 'y', message: 3, lost: 4, recomputed: [{}], head: [] }]) {
    for (const kind of ['step-started', 'step-finished', 'step-failed', 'model-delta', 'model-retry', 'cell-output', 'cell-display', 'verification-progress', 'cell-again', 'kernel-restored', 'cell-caught-up', 'state-unsaved'] as const) {
      expect(() => texts([event(1, kind, { data: data as never }), event(1, 'new-kind' as never, { data: data as never })])).not.toThrow();
    }
  }
});

test('times and money are short', () => {
  expect([seconds(0), seconds(250), seconds(9949), seconds(75_400), seconds(-5)]).toEqual(['0.0 s', '0.3 s', '9.9 s', '75 s', '0.0 s']);
  expect(dollars({ costUsd: 0.01234 })).toBe('$0.012');
});

test('a call of unknown price is not shown as free', () => {
  expect(dollars({ costUsd: 0, unpriced: 3 })).toBe('price unknown');
  expect(dollars({ costUsd: 0.5, unpriced: 1 })).toBe('$0.500 + 1 call of unknown price');
  expect(texts([finished(2, 'plan', 0, 250, 1)])[0]).toMatch(/price unknown$/);
});
