import { expect, test } from 'vitest';
import { callLines, mayCall } from '../../src/cli/tool-text.js';
import type { ToolCallRecord } from '../../src/session/bridged-tool.js';

const made: ToolCallRecord = { call: 0, name: 'append', args: { text: 'a', times: 2 }, key: 'nl2code-ab', outcome: 'answered', value: { length: 1 }, at: 0, ms: 12 };

test('a call is one line: name, arguments, outcome, time and key', () => {
  expect(
    callLines([
      made,
      { ...made, call: 1, outcome: 'error', error: { type: 'ToolError', message: 'The list is full.' } },
      { ...made, call: 2, outcome: 'uncertain', ms: null },
      { call: 3, name: 'send', args: {}, key: null, outcome: 'error', error: { type: 'ToolError', message: 'There is no tool "send" here.' }, at: 0, ms: 0 },
    ]),
  ).toEqual([
    'call 0: append("text":"a","times":2) → {"length":1}  12 ms  key nl2code-ab',
    'call 1: append("text":"a","times":2) → The list is full.  12 ms  key nl2code-ab',
    'call 2: append("text":"a","times":2) → uncertain: nobody knows whether it took effect  key nl2code-ab',
    'call 3: send() → There is no tool "send" here.  0 ms',
  ]);
});

test('words of code and of tools stay on their line, bounded and without control characters', () => {
  const [line] = callLines([{ ...made, name: `x\u001b[2J\n${'y'.repeat(100)}`, args: { text: '\u001b[31m\n'.repeat(1000) }, value: 'z'.repeat(5000) }]);
  expect(line).not.toMatch(/[\u0000-\u001f]/);
  expect(line!.length).toBeLessThan(500);
});

test('of many calls the first are shown, and where the others are', () => {
  const lines = callLines(Array.from({ length: 25 }, (_, call) => ({ ...made, call })));
  expect(lines).toHaveLength(21);
  expect(lines.at(-1)).toBe('and 5 more calls; nl2code show --trace has them');
});

test('who approves is told what code may call, and nothing where it may call nothing', () => {
  expect(mayCall(['append', 'send'])).toBe('Its code may call append, send: these take effect outside of the sandbox.');
  expect(mayCall([])).toBeNull();
});
