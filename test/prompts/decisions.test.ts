import { describe, expect, test } from 'vitest';
import type { ChatMessage, ModelReply, RawCall } from '../../src/model/endpoint.js';
import { conversation } from '../../src/prompts/conversation.js';
import type { Decision } from '../../src/session/decision.js';
import type { Fact } from '../../src/session/facts.js';
import type { Json } from '../../src/session/json.js';
import type { StepRecord } from '../../src/session/step-record.js';
import { request } from '../strategies/scripted-ports.js';
import { record } from '../store/record.js';

const blobs: Record<string, string> = { x: 'a = 1\n' };
const read = (ref: { text: string } | { hash: string }) => ('text' in ref ? ref.text : blobs[ref.hash]!);
const reply = (content: string, calls: RawCall[] = []): StepRecord['refs'] => ({ reply: { text: JSON.stringify({ content, calls, finishReason: 'stop', usage: { promptTokens: 1, cachedTokens: 0, completionTokens: 1 }, usageEstimated: false, model: 'm', requestId: 'q' } satisfies ModelReply) } });
const call = (id: string, name: string, args: object): RawCall => ({ id, name, arguments: JSON.stringify(args) });
const saw = (stdout: string): StepRecord['refs'] => ({ observation: { text: JSON.stringify({ kind: 'cell', k: 0, ended: 'ok', stdout: { text: stdout, omitted: 0 }, stderr: { text: '', omitted: 0 }, result: null, displays: [], error: null, ms: 1 }) } });
const plan = { steps: ['Score'], assumptions: ['spend = amount'], questions: [{ question: 'Which market?', options: ['EU', 'UK'], default: 'EU' }], checks: [{ kind: 'rows', output: 'a.csv', equals: 1000 }] };

const opening: StepRecord[] = [
  record({ kind: 'open', ask: undefined, args: { request: request() } as unknown as Json, refs: {} }),
  record({ kind: 'plan', ask: 'codeact-plan', value: { items: 1, plan: 'p', questions: 1 }, refs: reply('', [call('p1', 'plan', plan), call('p2', 'run_cell', { code: '1' })]) }),
];
const decided = (what: 'plan' | 'cell', callId: string, decision: Decision): Fact => ({ kind: 'decision', proposal: `${'h'.repeat(64)}:${callId}`, what, actor: 'ann', decision });
const told = (facts: Fact[], records = opening) => conversation(records, 'codeact', facts, read);
const last = (messages: ChatMessage[]) => messages.at(-1)!.content;

describe('the model is told of a plan', () => {
  test('that each call of its reply has an answer: the plan is noted, code beside it did not run', () => {
    const answers = told([]).filter((message) => message.role === 'tool').map(({ content }) => content);
    expect(answers).toEqual(['The plan is noted; go on by it.', 'Not run: the plan stood in the same reply. Call it now if it is still right.']);
  });

  test('that it was approved, with the answers and the defaults', () => {
    expect(last(told([decided('plan', 'plan', { kind: 'approve', answers: { q1: 'UK' } })]))).toBe('A person approved the plan.\n- Which market? UK');
    expect(last(told([decided('plan', 'plan', { kind: 'approve' })]))).toBe('A person approved the plan.\n- Which market? EU (the default)');
    expect(last(told([{ kind: 'defaults-taken' }]))).toBe('Nobody answers the questions of the plan: the defaults hold.\n- Which market? EU (the default)');
  });

  test('that it was changed, as it stands now', () => {
    const text = JSON.stringify({ steps: ['Count'], checks: [{ kind: 'rows', output: 'a.csv', equals: 900 }] });
    expect(last(told([decided('plan', 'plan', { kind: 'edit', code: { text } })]))).toBe('A person changed the plan. This is the plan now; work by it:\nSteps:\n1. Count\nChecks, frozen:\n- a.csv: exactly 900 rows');
  });

  test('that it was rejected, and why', () => {
    expect(last(conversation(opening, 'codeact-plan', [decided('plan', 'plan', { kind: 'reject', reason: 'EU only' })], read).slice(0, -1))).toBe('A person rejected the plan: EU only\nMake another plan accordingly.');
  });
});

describe('the model is told of a cell', () => {
  const proposed = [...opening, record({ value: { calls: [{ id: 'c1', tool: 'run_cell', code: 'x' }] } as unknown as Json, refs: reply('', [call('c1', 'run_cell', { code: 'a = 1\n' })]) })];
  const ran = (facts: Fact[], value: Json = { ok: true, sig: 's' }) => record({ kind: 'execute', ask: undefined, args: { target: 'cell', call: 'c1', code: null } as Json, value, refs: saw('done'), facts });

  test('nothing but its result when it was approved', () => {
    const approved = told([], [...proposed, ran([decided('cell', 'c1', { kind: 'approve' })])]);
    expect(approved).toEqual(told([], [...proposed, ran([])]));
  });

  test('what a person changed, in the one answer of its call', () => {
    const messages = told([], [...proposed, ran([decided('cell', 'c1', { kind: 'edit', code: { text: 'a = 2\n' } })])]);
    const answers = messages.filter((message) => message.role === 'tool' && message.callId === 'c1');
    expect(answers).toHaveLength(1);
    expect(answers[0]!.content).toMatch(/^A person changed this cell before it ran; their version is what ran\.\n[^]*\n-a = 1\n\+a = 2\n[^]*\n\nIts result:\n\ndone/);
    expect(messages.at(-1)).toEqual(answers[0]);
  });

  test('only the result of what ran at last, when an edit was no Python', () => {
    const unparsed = ran([decided('cell', 'c1', { kind: 'edit', code: { text: 'a = = 2\n' } })], { ok: false, sig: 's', unparsed: 'line 1' });
    const answers = told([], [...proposed, unparsed, ran([decided('cell', 'c1', { kind: 'approve' })])]).filter((message) => message.role === 'tool' && message.callId === 'c1');
    expect(answers.map(({ content }) => content.split('\n')[0])).toEqual(['done']);
  });

  test('that a person rejected it, as its answer', () => {
    const messages = told([decided('cell', 'c1', { kind: 'reject', reason: 'too slow' })], proposed);
    expect(messages.at(-1)).toEqual({ role: 'tool', callId: 'c1', content: 'Not run: a person rejected this cell: too slow' });
  });
});
