import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { expect, inject, test, vi } from 'vitest';
import { createNl2codeClient } from '../../src/create-client.js';
import { Nl2codePlugin } from '../../src/plugin.js';
import { scriptedModel, untilResult } from '../../src/testing.js';
import { PLAYBOOKS, ROOT, startInProcess, toEnd } from '../rig/in-process.js';

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

test('a plugin with options, on the connection, serves a session of the client and leaves no sandbox ready when its worker stops', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'nl2code-own-'));
  const model = await scriptedModel(PLAYBOOKS, { model: 'mine' });
  const plugin = new Nl2codePlugin({ dataDir, baseUrl: model.baseUrl, model: 'mine', pool: 1 });
  const connection = await NativeConnection.connect({ address: inject('temporalAddress'), plugins: [plugin] });
  try {
    const taskQueue = `own-${process.pid}-${Date.now()}`;
    const worker = await Worker.create({ connection, taskQueue, workflowBundle: { codePath: join(ROOT, 'dist', 'workflow-bundle.js') } });
    // A machine under load breaks no workflow code off: the SDK has taken the option, which its public type does not name.
    expect(worker.options.isolateExecutionTimeoutMs).toBe(60_000);
    const nl2code = createNl2codeClient(new Client({ connection }), { dataDir, taskQueue, baseUrl: model.baseUrl, model: 'mine' });
    const ready = () => readdirSync(join(dataDir, 'pool')).filter((name) => name.startsWith('slot-'));
    await worker.runUntil(async () => {
      const { session } = await nl2code.start({ prompt: 'Write the quick numbers.', strategy: 'single-shot' });
      const result = await untilResult(nl2code, session);
      expect(result).toMatchObject({ status: 'verified', scripted: false, isolation: 'bubblewrap' });
      expect(nl2code.bytes(session, result.artifacts.find(({ path }) => path === 'numbers.txt')!.sha256).toString()).toBe('15\n');
      await vi.waitFor(() => expect(ready()).not.toEqual([]), { timeout: 20_000 });
    });
    expect(existsSync(join(dataDir, 'pool')) ? ready() : []).toEqual([]);
  } finally {
    await connection.close();
    await model.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
});
