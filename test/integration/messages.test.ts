import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Request } from '../../src/session/request.js';
import { stopSignal } from '../../src/workflows/messages.js';
import { startInProcess, toEnd, type InProcess } from '../rig/in-process.js';

let rig: InProcess;
let request: Request;
beforeAll(async () => {
  rig = await startInProcess(inject('temporalAddress'));
  const admitted = await rig.client.start({ prompt: 'Write the quick numbers.', strategy: 'single-shot', approval: 'final' });
  ({ request } = admitted);
  await rig.client.stop(admitted.session, 'a');
});
afterAll(() => rig.close());

let n = 0;
/** Starts the workflow as any Temporal client can, past the admission. */
const options = (over: object = {}) => ({ workflowId: `raw-${process.pid}-${(n += 1)}`, taskQueue: rig.taskQueue, args: [{ request: { ...request, ...over } }] as [object] });

async function untilProposed(session: string): Promise<string> {
  for await (const followed of rig.client.follow(session)) {
    if (followed.kind === 'snapshot' && followed.snapshot.proposal) return followed.snapshot.proposal.id;
    if (followed.kind === 'end') throw new Error(`it ended: ${JSON.stringify(followed)}`);
  }
  throw new Error('nothing was proposed');
}

describe('a message', () => {
  test('that stops a request in its first moment ends it stopped, opened and closed', async () => {
    const start = options();
    rig.store.session(start.workflowId);
    await rig.temporal.workflow.signalWithStart('nl2codeWorkflow', { ...start, signal: stopSignal, signalArgs: [{ actor: 'a' }] });
    expect((await toEnd(rig, start.workflowId)).result).toMatchObject({ status: 'stopped', reason: 'stopped by a person', steps: 0 });
  });

  test('of any shape neither holds a session up nor counts as a decision', async () => {
    const start = options();
    rig.store.session(start.workflowId);
    const handle = await rig.temporal.workflow.start('nl2codeWorkflow', start);
    const proposal = await untilProposed(start.workflowId);
    const hostile = { toString: 1, valueOf: 1 };
    for (const decision of [{ kind: 'edit' }, { kind: 'edit', code: 'x' }, { kind: 'edit', code: { text: 7 } }, { kind: 'edit', code: { path: 'a.py' } }, { kind: 'edit', code: { hash: '../head' } }, { kind: 'reject', reason: {} }, hostile, null]) {
      await handle.signal('decide', { proposal, actor: hostile, decision });
    }
    await handle.signal('decide', { proposal: hostile, actor: hostile, decision: { kind: 'approve' } });
    await handle.signal('decide', null);
    await rig.client.decide(start.workflowId, { proposal, actor: 'b', decision: { kind: 'approve' } });
    expect((await toEnd(rig, start.workflowId)).result).toMatchObject({ status: 'verified', decisions: [{ actor: 'b', kind: 'approve' }] });
  });

  test('a cancellation through Temporal closes the request as stopped', async () => {
    const start = options();
    rig.store.session(start.workflowId);
    const handle = await rig.temporal.workflow.start('nl2codeWorkflow', start);
    await untilProposed(start.workflowId);
    await handle.cancel();
    expect((await toEnd(rig, start.workflowId)).result).toMatchObject({ status: 'stopped', reason: 'cancelled through Temporal' });
  });
});

describe('a request that nobody admitted', () => {
  test.each([
    ['an input that is a path', { inputs: [{ name: '../truth/answers.csv', sha256: 'x', bytes: 3 }] }, /no plain file name/],
    ['a truth file that is a path', { truth: [{ name: '/etc/passwd', sha256: 'x', bytes: 3 }] }, /no plain file name/],
    ['runs of no steps', { limits: { stepsPerRun: 0 } }, /not admitted/],
    ['no bound of steps', { budget: {} }, /maxSteps/],
  ])('is refused for %s', async (_what, over, why) => {
    const handle = await rig.temporal.workflow.start('nl2codeWorkflow', options(over));
    await expect(handle.result()).rejects.toMatchObject({ cause: { message: expect.stringMatching(why) } });
  });
});
