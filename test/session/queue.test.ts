import { expect, test } from 'vitest';
import type { Request } from '../../src/session/request.js';
import { enqueue, followUpProblem, newSession } from '../../src/session/session-state.js';

const request: Request = {
  id: 'r1',
  prompt: 'Do it.',
  strategy: 'codeact',
  pack: null,
  inputs: [],
  truth: [],
  outputs: [],
  model: 'scripted',
  sandbox: 'process',
  isolation: 'bubblewrap',
  limits: { cellTimeoutMs: 1, scriptTimeoutMs: 1, memoryBytes: 1, diskBytes: 1, maxRepairs: 0, stepsPerRun: 1 },
  budget: { maxSteps: 1, maxCostUsd: null, maxTokens: null, deadline: null },
  approval: { policy: 'never', expiryMs: 1 },
  labels: {},
};

test('a session in which twenty requests wait takes no more and says so, and knows again what waits', () => {
  const state = newSession('s', request);
  for (let n = 0; n < 20; n += 1) expect(enqueue(state, { ...request, id: `f${n}` })).toBe(n + 1);
  expect(followUpProblem(state, { ...request, id: 'f20' })).toBe('20 requests wait in this session already: wait until one is done.');
  expect(followUpProblem(state, { ...request, id: 'f19' })).toBeUndefined();
  expect(enqueue(state, { ...request, id: 'f19' })).toBe(20);
  expect(state.queue).toHaveLength(20);
});
