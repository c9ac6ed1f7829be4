import { expect, test } from 'vitest';
import type { Decision } from '../../src/session/decision.js';
import { decisionProblem, enqueue, followUpProblem, ignore, newSession, settle } from '../../src/session/session-state.js';
import { request as aRequest } from '../strategies/scripted-ports.js';

const waiting = (what: 'cell' | 'script' = 'script') => ({ ...newSession('s', aRequest()), proposal: { id: 'p', what, code: 'x' } });
const edit = (text: string): Decision => ({ kind: 'edit', code: { text } });

const rejection = (reason: string): Decision => ({ kind: 'reject', reason });

test.each<[string, (said: string) => Decision, number, string]>([
  ['an edit', edit, 65_536, 'The edit has 65537 characters, more than 65536: store it in the session and send its hash, as the client does.'],
  ['a reason', rejection, 10_000, 'The reason has 10001 characters, more than 10000: shorten it.'],
])('%s is taken up to its bound, and refused beyond', (_what, decision, most, sentence) => {
  expect(decisionProblem(waiting(), 'p', decision('x'.repeat(most)))).toBeUndefined();
  expect(decisionProblem(waiting(), 'p', decision('x'.repeat(most + 1)))).toBe(sentence);
});

test.each<[string, Decision]>([
  ['an approval', { kind: 'approve', answers: { q1: 'a' } }],
  ['an edit', edit('print(1)')],
  ['an edit by hash', { kind: 'edit', code: { hash: 'a'.repeat(64) } }],
  ['a rejection', { kind: 'reject', reason: 'no' }],
])('of %s is kept what it means, and nothing else that a message held', (_what, decision) => {
  const state = waiting();
  const more = { ...decision, more: 'y', ...('code' in decision ? { code: { ...decision.code, more: 'y' } } : {}) };
  settle(state, 'p', 'a', more);
  expect(state.facts).toEqual([{ kind: 'decision', proposal: 'p', actor: 'a', decision }]);
});

test('of decisions that come too late fifty are recorded by a step', () => {
  const state = waiting();
  for (let n = 0; n < 80; n += 1) ignore(state, `p${n}`, 'a', 'late');
  expect(state.facts).toHaveLength(50);
  state.facts = [];
  ignore(state, 'p', 'a', 'late');
  expect(state.facts).toHaveLength(1);
});

test('requests that wait have a bound in bytes, alone and together', () => {
  const state = newSession('s', aRequest());
  const of = (id: string, bytes: number) => aRequest({ id, prompt: 'ä'.repeat(bytes / 2) });
  expect(followUpProblem(state, of('f1', 600_000))).toMatch(/^The request has 600\d\d\d bytes, more than the 524288 that may wait in a session: shorten it, and give data as --input\.$/);
  for (const id of ['f1', 'f2']) {
    expect(followUpProblem(state, of(id, 200_000))).toBeUndefined();
    enqueue(state, of(id, 200_000));
  }
  expect(followUpProblem(state, of('f3', 200_000))).toBe('The requests that wait in this session would have more than 524288 bytes together: wait until one is done.');
  expect(followUpProblem(state, of('f2', 200_000))).toBeUndefined();
  expect(followUpProblem(state, of('f3', 20_000))).toBeUndefined();
});
