import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createActivities } from '../../src/activities/activities.js';
import type { StepWorld } from '../../src/activities/world.js';
import type { Request } from '../../src/session/request.js';
import type { StepReply } from '../../src/session/step.js';
import { SessionStore } from '../../src/store/session-store.js';
import { request } from '../strategies/scripted-ports.js';
import { type Answer, delta, DONE, failure, stream, usage } from './answering-server.js';
import { against } from './endpoint-room.js';

let dir: string;
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'nl2code-lost-'))));
afterEach(() => rmSync(dir, { recursive: true }));

const cut = stream(delta({ content: 'half' }));
const whole = stream(delta({ content: 'ok' }, 'stop'), usage(100, 0, 10), DONE);
/** One US dollar a million tokens, whichever. */
const price = { prompt: 1, cached: 1, completion: 1 };

/** One model call whose endpoint gives these answers, attempt by attempt; what the last attempt came to. */
async function attempts(answers: Answer[], over: Partial<Request['budget']> = {}) {
  const { endpoint } = await against(answers);
  const store = new SessionStore(dir);
  store.session('s1').create();
  const activities = createActivities({ store, endpoint, priceOf: () => price, maxOutputTokens: 1000, maxExposure: 'full' } as unknown as StepWorld);
  const room = (attempt: number) => new MockActivityEnvironment({ attempt, workflowExecution: { workflowId: 's1', runId: 'r' } }, { logger: new DefaultLogger('ERROR', () => undefined) });
  const asked = request({ strategy: 'single-shot', model: 'm', budget: { maxSteps: 40, maxCostUsd: null, maxTokens: null, deadline: null, ...over } });
  const open = activities['nl2code-open'] as (sent: object) => Promise<StepReply<'open'>>;
  const code = activities['nl2code-code'] as (sent: object) => Promise<StepReply<'code'>>;
  const { head } = (await room(1).run(open, { parent: null, seq: 0, args: { request: asked }, facts: [] })) as StepReply<'open'>;
  let last: StepReply<'code'> | ApplicationFailure;
  for (let attempt = 1; attempt <= answers.length; attempt += 1) {
    last = (await room(attempt)
      .run(code, { parent: head, seq: 1, ask: 'single-shot', args: null, facts: [] })
      .catch((error: unknown) => error)) as typeof last;
  }
  return last!;
}

test('an attempt that died unsettled counts its reservation, in tokens and in dollars', async () => {
  const { spent } = (await attempts([cut, whole])) as StepReply;
  expect(spent).toMatchObject({ calls: 1, lostCalls: 1, promptTokens: 100, completionTokens: 10 });
  expect(spent!.lostTokens).toBeGreaterThan(2000);
  expect(spent!.costUsd).toBeCloseTo((spent!.lostTokens! + 110) / 1e6, 9);
});

test('an attempt that the endpoint refused counts nothing', async () => {
  expect(((await attempts([failure(429, 'slow'), failure(503, 'later'), whole])) as StepReply).spent).toMatchObject({ calls: 1, lostCalls: 0, costUsd: 110 / 1e6 });
});

test.each([
  ['tokens', { maxTokens: 4000 }],
  ['dollars', { maxCostUsd: 0.005 }],
])('a budget of %s ends before an attempt that lost ones leave no room for', async (_what, budget) => {
  expect(await attempts([cut, whole], budget)).not.toHaveProperty('spent');
  rmSync(dir, { recursive: true });
  expect(await attempts([failure(429, 'slow'), whole], budget)).toHaveProperty('spent');
});
