import { describe, expect, test } from 'vitest';
import type { ChatMessage, ModelReply } from '../../src/model/endpoint.js';
import { conversation } from '../../src/prompts/conversation.js';
import type { Fact } from '../../src/session/facts.js';
import type { Json } from '../../src/session/json.js';
import { STRATEGIES, type StrategyName } from '../../src/session/request.js';
import type { CellObservation } from '../../src/session/observation.js';
import type { StepRecord } from '../../src/session/step-record.js';
import { request } from '../strategies/scripted-ports.js';
import { record } from '../store/record.js';
import { wellFormed } from './random-session.js';

const blobs = new Map<string, string>([['old', 'a = 1\nprint(a)\n']]);
const read = (ref: { text: string } | { hash: string }) => ('text' in ref ? ref.text : blobs.get(ref.hash)!);

const reply = (content: string, calls: ModelReply['calls'] = []): StepRecord['refs'] => ({
  reply: { text: JSON.stringify({ content, calls, finishReason: 'stop', usage: { promptTokens: 1, cachedTokens: 0, completionTokens: 1 }, usageEstimated: false, model: 'm', requestId: 'q' } satisfies ModelReply) },
});
const cell = (stdout: string, over: Partial<CellObservation> = {}): StepRecord['refs'] => ({
  observation: { text: JSON.stringify({ kind: 'cell', k: 0, ended: 'ok', stdout: { text: stdout, omitted: 0 }, stderr: { text: '', omitted: 0 }, result: null, displays: [], error: null, ms: 1, ...over } satisfies CellObservation) },
});
const verified = (ok: boolean): StepRecord['refs'] => ({
  code: 'old',
  observation: { text: JSON.stringify({ kind: 'verification', ok, checks: [], findings: [], outputs: [], stdout: { text: '', omitted: 0 }, stderr: { text: '', omitted: 0 }, isolation: 'bubblewrap', ms: 1 }) },
});
const call = (id: string, name: string, args: object): ModelReply['calls'][number] => ({ id, name, arguments: JSON.stringify(args) });
const execute = (target: string, callId: string, refs: StepRecord['refs'], facts: Fact[] = []) => record({ kind: 'execute', ask: undefined, args: { target, call: callId, code: null } as Json, refs, facts });

const opening: StepRecord[] = [
  record({ kind: 'open', ask: undefined, args: { request: request({ inputs: [{ name: 'a b.csv', sha256: 'x', bytes: 3 }] }) } as unknown as Json, refs: { observation: { text: 'Conventions\n- percent of all' } } }),
  execute('inspect', '', cell('"a b.csv": 3 rows x 1 column')),
  record({ kind: 'plan', ask: 'codeact-plan', refs: reply('1. count') }),
];
const working: StepRecord[] = [
  ...opening,
  record({ refs: reply('', [call('c1', 'run_cell', { code: '1/0' })]) }),
  execute('cell', 'c1', cell('', { ended: 'error', error: { type: 'ZeroDivisionError', message: 'division by zero', traceback: 'ZeroDivisionError: division by zero' } })),
  record({ refs: reply('', [call('c2', 'submit', { path: 'a.py', answer: 'x' })]) }),
  execute('script', 'c2', verified(true)),
];

describe('conversation', () => {
  test('what was sent before is a prefix of what is sent next', () => {
    const asks = ['codeact-plan', 'codeact', 'codeact', 'codeact-review'];
    const lengths = [2, 3, 5, 7];
    const sent = lengths.map((n, i) => conversation(working.slice(0, n), asks[i]!, [], read));
    for (let i = 1; i < sent.length; i += 1) expect(sent[i]!.slice(0, sent[i - 1]!.length)).toEqual(sent[i - 1]);
  });

  test('inputs, conventions, inspection and errors all reach the model', () => {
    const text = JSON.stringify(conversation(working, 'codeact-review', [], read));
    for (const words of ['count the rows', 'a b.csv', 'percent of all', '3 rows x 1 column', 'ZeroDivisionError']) expect(text).toContain(words);
  });

  test('every call is answered once, also one that a stop left open', () => {
    wellFormed(conversation(working, 'codeact-review', [], read));
    wellFormed(conversation(working.slice(0, 4), 'codeact', [], read));
    wellFormed(conversation(working.slice(0, 6), 'codeact', [{ kind: 'not-run', call: 'c2', why: 'too late' }], read));
  });

  test("a person's edit is told as a diff with the instruction to keep it", () => {
    const edit: Fact = { kind: 'decision', proposal: 'p', actor: 'a', decision: { kind: 'edit', code: { text: 'a = 2\nprint(a)\n' } } };
    const messages = conversation([...working, execute('script', 'c2', verified(true), [edit])], 'codeact-review', [], read);
    wellFormed(messages);
    const told = messages.find((message) => message.role === 'user' && message.content.includes('A person edited'))!;
    expect(told.content).toContain('-a = 1');
    expect(told.content).toContain('+a = 2');
  });

  test('malformed arguments are sent back as JSON that says so', () => {
    const broken = record({ refs: reply('', [{ id: 'c1', name: 'run_cell', arguments: '{"code": "x' }]) });
    const messages = conversation([...opening, broken], 'codeact', [{ kind: 'not-run', call: 'c1', why: 'The arguments are not a JSON object.' }], read);
    wellFormed(messages);
    const assistant = messages.findLast((message) => message.role === 'assistant')!;
    expect(JSON.parse((assistant as Extract<ChatMessage, { role: 'assistant' }>).calls[0]!.arguments)).toEqual({ malformed: '{"code": "x' });
  });

  test('a long output is cut in the middle with the count of what was left out', () => {
    const messages = conversation([...opening, record({ refs: reply('', [call('c1', 'run_cell', { code: 'x' })]) }), execute('cell', 'c1', cell('y'.repeat(50_000)))], 'codeact', [], read);
    const seen = messages.at(-1)!.content;
    expect(seen.length).toBeLessThan(9000);
    expect(seen).toMatch(/42000 characters left out/);
  });
});

const review = (ask: string) => record({ kind: 'review', ask, refs: reply('', [call('r1', 'review', { accept: true, summary: 'x' })]) });
const retry = (next: string) => record({ kind: 'retry', ask: undefined, args: { left: 1 }, value: { next, reason: 'wrong column' }, refs: {} });
const submitted = reply('', [call('s1', 'submit', { code: 'x' })]);
/** A whole session of each strategy. */
const sessions: Record<StrategyName, StepRecord[]> = {
  codeact: [...working, review('codeact-review')],
  'single-shot': [...opening.slice(0, 2), record({ ask: 'single-shot', refs: submitted }), execute('script', 's1', verified(false)), retry('repair'), record({ ask: 'single-shot', refs: submitted })],
  chained: [
    ...opening.slice(0, 2),
    record({ kind: 'plan', ask: 'chained-plan', refs: reply('["a", "b"]') }),
    record({ ask: 'chained-step', args: { item: 0 }, refs: reply('```python\n1/0\n```') }),
    execute('cell', 'reply', cell('', { ended: 'error', error: { type: 'E', message: 'm', traceback: 'E: m' } })),
    record({ ask: 'chained-step', args: { item: 0 }, refs: reply('I can not.') }),
    record({ ask: 'chained-step', args: { item: 0 }, refs: reply('```python\n1\n```'), facts: [{ kind: 'no-call' }] }),
    execute('cell', 'reply', cell('1')),
    record({ ask: 'chained-step', args: { item: 1 }, refs: reply('```python\n2\n```') }),
    execute('cell', 'reply', cell('2')),
    review('chained-review'),
    record({ ask: 'chained-script', refs: submitted }),
    execute('script', 's1', verified(false)),
    retry('repair'),
    record({ ask: 'chained-script', refs: submitted }),
    execute('script', 's1', verified(true)),
  ],
  react: [
    ...opening.slice(0, 2),
    record({ ask: 'react', refs: reply('', [call('c1', 'run_python', { code: '1' }), call('c2', 'nope', {})]) }),
    execute('cell', 'c1', cell('1')),
    record({ ask: 'react', refs: reply('{"tool": "run_python", "args": {"code": "1"}} {"tool": "read_schema", "args": {"path": "a"}}'), facts: [{ kind: 'not-run', call: 'c2', why: 'There is no tool "nope".' }] }),
    execute('cell', 'text-1', cell('one')),
    execute('cell', 'text-2', cell('two')),
    record({ ask: 'react', refs: reply('', [call('c3', 'submit', { path: 'a.py' })]) }),
    execute('script', 'c3', verified(true)),
    review('react-review'),
  ],
  auto: [
    ...opening.slice(0, 2),
    record({ ask: 'auto-first', refs: submitted }),
    execute('script', 's1', verified(false)),
    retry('escalate'),
    record({ kind: 'plan', ask: 'auto-plan', refs: reply('1. mend') }),
    record({ ask: 'auto', refs: reply('', [call('c1', 'run_cell', { code: '1' })]) }),
    execute('cell', 'c1', cell('1')),
    record({ ask: 'auto', refs: reply('', [call('c2', 'submit', { path: 'a.py' })]) }),
    execute('script', 'c2', verified(true)),
    review('auto-review'),
  ],
};

describe.each(STRATEGIES)('the conversation under %s', (strategy) => {
  const records = sessions[strategy];
  const asked = records.map((it, i) => ({ ...it, i })).filter((it) => it.ask);
  const sent = asked.map(({ ask, i, facts, args }) => conversation(records.slice(0, i), ask!, facts, read, args));

  test('only ever grows: each request begins with the whole of the one before', () => {
    expect(sent.length).toBeGreaterThan(1);
    for (let i = 1; i < sent.length; i += 1) expect(sent[i]!.slice(0, sent[i - 1]!.length)).toEqual(sent[i - 1]);
  });

  test('answers every call once, names the strategy in its first line, and ends with something to answer', () => {
    for (const messages of sent) {
      wellFormed(messages);
      expect(messages[0]!.content.split('\n')[0]).toBe(`nl2code strategy: ${strategy}`);
      expect(messages.at(-1)!.role).not.toBe('assistant');
    }
  });
});

test('results of calls in text say which call they answer, and a part of the plan is asked for by its number', () => {
  const texts = (strategy: StrategyName, ask: string) => conversation(sessions[strategy], ask, [], read).map(({ content }) => content);
  expect(texts('react', 'react-review')).toEqual(expect.arrayContaining([expect.stringMatching(/^Result of call 1, run_python:\none\n\[budget/), expect.stringMatching(/^Result of call 2, read_schema:\ntwo\n\[budget/)]));
  expect(texts('chained', 'chained-script').filter((text) => /code of step 2 /.test(text))).toHaveLength(1);
  expect(texts('chained', 'chained-script').join('\n')).toContain('Your reply held no code');
});
