import { expect, test } from 'vitest';
import { enqueue, followUpProblem, newSession, stop, takeNext } from '../../src/session/session-state.js';
import { request as aRequest } from '../strategies/scripted-ports.js';

const request = aRequest();

test('a session in which twenty requests wait takes no more and says so, and knows again what waits', () => {
  const state = newSession('s', request);
  for (let n = 0; n < 20; n += 1) expect(enqueue(state, { ...request, id: `f${n}` })).toBe(n + 1);
  expect(followUpProblem(state, { ...request, id: 'f20' })).toBe('20 requests wait in this session already: wait until one is done.');
  expect(followUpProblem(state, { ...request, id: 'f19' })).toBeUndefined();
  expect(enqueue(state, { ...request, id: 'f19' })).toBe(20);
  expect(state.queue).toHaveLength(20);
});

test('a stop ends what runs and what waits, and each of them records it once', () => {
  const state = newSession('s', request);
  enqueue(state, { ...request, id: 'f1' });
  expect([stop(state, 'a', false), stop(state, 'b', false)]).toEqual([true, false]);
  enqueue(state, { ...request, id: 'f2' });
  expect(state).toMatchObject({ stopping: true, facts: [{ kind: 'stop', actor: 'a' }] });
  // The step that closes the request carries it.
  state.facts = [];
  expect(takeNext(state)).toBe(true);
  expect(state).toMatchObject({ request: { id: 'f1' }, stopping: true, facts: [{ kind: 'stop', actor: 'a' }] });
  state.facts = [];
  expect(takeNext(state)).toBe(true);
  expect(state).toMatchObject({ request: { id: 'f2' }, stopping: false, facts: [] });
});

test('a stop that comes when the verdict stands ends only what waits', () => {
  const state = newSession('s', request);
  enqueue(state, { ...request, id: 'f1' });
  expect(stop(state, 'a', true)).toBe(false);
  expect(state).toMatchObject({ stopping: false, facts: [] });
  takeNext(state);
  expect(state).toMatchObject({ stopping: true, facts: [{ kind: 'stop', actor: 'a' }] });
});
