import { describe, expect, test } from 'vitest';
import type { ChatMessage, ModelReply } from '../../src/model/endpoint.js';
import { conversation } from '../../src/prompts/conversation.js';
import type { Fact } from '../../src/session/facts.js';
import type { Json } from '../../src/session/json.js';
import type { CellObservation } from '../../src/session/observation.js';
import type { StepRecord } from '../../src/session/step-record.js';
import { request } from '../strategies/scripted-ports.js';
import { record } from '../store/record.js';

const blobs = new Map<string, string>([['old', 'a = 1\nprint(a)\n']]);
const read = (ref: { text: string } | { hash: string }) => ('text' in ref ? ref.text : blobs.get(ref.hash)!);

const reply = (content: string, calls: ModelReply['calls'] = []): StepRecord['refs'] => ({
  reply: { text: JSON.stringify({ content, calls, finishReason: 'stop', usage: { promptTokens: 1, cachedTokens: 0, completionTokens: 1 }, usageEstimated: false, model: 'm', requestId: 'q' } satisfies ModelReply) },
});
const cell = (stdout: string, over: Partial<CellObservation> = {}): StepRecord['refs'] => ({
  observation: { text: JSON.stringify({ kind: 'cell', k: 0, ended: 'ok', stdout: { text: stdout, omitted: 0 }, stderr: { text: '', omitted: 0 }, result: null, displays: [], error: null, ms: 1, freshKernel: false, ...over } satisfies CellObservation) },
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

/** Every tool call is answered exactly once, directly after the reply that made it. */
function wellFormed(messages: ChatMessage[]): void {
  let open: string[] = [];
  for (const message of messages) {
    if (message.role === 'tool') {
      expect(open).toContain(message.callId);
      open = open.filter((id) => id !== message.callId);
    } else {
      expect(open).toEqual([]);
      if (message.role === 'assistant') open = message.calls.map(({ id }) => id);
    }
  }
  expect(open).toEqual([]);
}

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
