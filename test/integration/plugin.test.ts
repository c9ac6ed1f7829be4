import { NativeConnection, Worker } from '@temporalio/worker';
import { expect, inject, test } from 'vitest';
import { Nl2codePlugin } from '../../src/plugin.js';
import { startInProcess, toEnd } from '../rig/in-process.js';

test("the user's activity interceptor sees every step of a session", async () => {
  const seen: string[] = [];
  const rig = await startInProcess(inject('temporalAddress'), {
    interceptors: {
      activity: [({ info }) => ({ inbound: { execute: (input, next) => (seen.push(info.activityType), next(input)) } })],
    },
  });
  try {
    const { session } = await rig.client.start({ prompt: 'Write the quick numbers.', strategy: 'single-shot' });
    expect((await toEnd(rig, session)).result?.status).toBe('verified');
    expect(seen).toEqual(expect.arrayContaining(['nl2code-open', 'nl2code-code', 'nl2code-execute', 'nl2code-close']));
  } finally {
    await rig.close();
  }
});

test('an activity that a later plugin puts in the place of a step is refused when the worker runs', async () => {
  const rig = await startInProcess(inject('temporalAddress'));
  const connection = await NativeConnection.connect({ address: inject('temporalAddress') });
  try {
    const worker = await Worker.create({
      connection,
      taskQueue: `${rig.taskQueue}-late`,
      plugins: [new Nl2codePlugin({ world: rig.world }), { name: 'late', configureWorker: (options) => ({ ...options, activities: { ...options.activities, 'nl2code-plan': async () => 'mine' } }) }],
    });
    await expect(worker.run()).rejects.toThrow('The worker already has activities named nl2code-plan: rename them, these names belong to the nl2code plugin.');
  } finally {
    // A worker that never ran holds its connection until the process ends.
    await rig.close();
  }
});
