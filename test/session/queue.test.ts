import { expect, test } from 'vitest';
import { enqueue, followUpProblem, newSession } from '../../src/session/session-state.js';
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
