import { expect, test } from 'vitest';
import { fenced, plainLine } from '../../src/session/markdown.js';
import type { Request } from '../../src/session/request.js';
import { currentDetails, startDetails, startSummary, stepSummary } from '../../src/session/run-text.js';
import { newSession } from '../../src/session/session-state.js';

const request = (prompt: string, over: Partial<Request> = {}): Request => ({
  id: 'r1', prompt, strategy: 'codeact', pack: 'marketing', inputs: [], truth: [], outputs: [{ path: 'out.csv' }], model: 'm', sandbox: 'process', isolation: 'bubblewrap',
  limits: { cellTimeoutMs: 1, scriptTimeoutMs: 1, memoryBytes: 1, diskBytes: 1, maxRepairs: 0, stepsPerRun: 75 },
  budget: { maxSteps: 40, maxCostUsd: 0.5, maxTokens: null, deadline: null }, approval: { policy: 'final', expiryMs: 1000 }, labels: {},
  ...over,
});

test.each([
  ['[a](https://evil.example) ![b](x)', '\\[a\\](https\\://evil.example) !\\[b\\](x)'],
  ['<img src=x onerror=alert(1)> & more', '\\<img src=x onerror=alert(1)\\> \\& more'],
  ['# big\n- item\n1. one', '\\# big - item 1. one'],
  ['1. one', '1\\. one'],
  ['- item', '\\- item'],
  ['use `high_value_q1.csv`, _not_ www.evil.example or me@x', 'use \\`high_value_q1.csv\\`, \\_not\\_ www\\.evil.example or me\\@x'],
  ['a\u0000b\u202ec\u200bd\u001b[31me\ud800f', 'abcd\\[31mef'],
])('words of strangers are no markup: %j', (text, shown) => expect(plainLine(text, 200)).toBe(shown));

test('what was cut says so, also where only its beginning was looked at', () => {
  expect(plainLine('abcdef', 4)).toBe('abc…');
  expect(plainLine(`${' '.repeat(10_000)}x`, 4)).toBe('…');
  expect(fenced('a'.repeat(10_000), 10)).toBe('```text\naaaaaaaaa…\n```');
});

test('a fence is longer than every run of backticks in it', () => {
  expect(fenced('```\n[x](y)\n`````', 100)).toBe('``````text\n```\n[x](y)\n`````\n``````');
});

test.each(['x'.repeat(100_000), '\\'.repeat(1000), '🎯'.repeat(1000), '"`*'.repeat(1000), '漢'.repeat(1000)])('the summary of a start fits what the server takes', (prompt) => {
  const bytes = Buffer.byteLength(JSON.stringify(startSummary(request(prompt))));
  expect(bytes).toBeLessThanOrEqual(240);
  expect(bytes).toBeGreaterThan(100);
});

test('the details of a start tell the request and how to look at it, in bounds', () => {
  const told = startDetails('abc', request('Count the *users*.', { inputs: [{ name: 'a_b.csv', sha256: '', bytes: 1 }] }));
  expect(told).toBe(
    ['```text\nCount the *users*.\n```', '- **Strategy** codeact\n- **Model** m\n- **Pack** marketing\n- **Inputs** a_b.csv\n- **Outputs** out.csv\n- **Approval** final\n- **Budget** 40 steps, $0.5', '```text\nnl2code show abc\nnl2code logs -f abc\n```'].join('\n\n'),
  );
  const inputs = Array.from({ length: 200 }, (_, i) => ({ name: `${i}${'\\'.repeat(255)}`, sha256: '', bytes: 1 }));
  const largest = startDetails('x'.repeat(1000), request('"'.repeat(100_000), { inputs, outputs: inputs.map(({ name }) => ({ path: name })), model: '\\'.repeat(1000) }));
  expect(Buffer.byteLength(JSON.stringify(largest))).toBeLessThan(20_000);
});

test('the details of a start name the tools that code may call', () => {
  expect(startDetails('abc', request('Count.', { tools: ['append', 'send_mail'] }))).toContain('\n- **May call** append, send_mail\n- **Approval** final\n');
});

test('the page of a run says what it does, what waits, and how it ended', () => {
  const state = { ...newSession('abc', request('Count *all*.')), stepsThisRequest: 6 };
  const so = '6 of at most 40 steps · $0.000';
  expect(currentDetails(state, { kind: 'step', call: { kind: 'execute', seq: 7, args: { target: 'script', call: '', code: null } } })).toBe(`**Working** · step 7: verify · ${so}\n\nCount \\*all\\*.`);
  expect(currentDetails({ ...state, queue: [{ request: request('x'), stop: false }] }, { kind: 'waiting', proposal: { id: 'p', what: 'script', code: 'h' } })).toBe(
    `**Waiting for a decision** on the script · ${so}\n\n\`\`\`text\nnl2code show abc --code\nnl2code decide abc approve\n\`\`\`\n\n1 request waits behind this one.\n\nCount \\*all\\*.`,
  );
  expect(currentDetails(state, { kind: 'over', verdict: { request: 'r1', status: 'failed', reason: '<b>no</b>' } })).toBe(`**Failed** · \\<b\\>no\\</b\\> · ${so}\n\nCount \\*all\\*.`);
  expect(stepSummary({ kind: 'code', seq: 5, args: null })).toBe('step 5: code');
});
