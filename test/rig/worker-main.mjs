// The product's worker process with fail points: NL2CODE_TEST_FAIL is `{ "kind": "execute", "seq": 5, "marker": "<file>" }`; the worker
// kills itself after that step's body has returned (its memo is written) and before its completion is reported, once.
import { unlinkSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { Nl2codePlugin } from '../../dist/plugin.js';
import { workflowSource } from '../../dist/worker.js';
import { createWorld } from '../../dist/world.js';
import { quickWorld } from './quick-world.mjs';

const { config, address, modelUrl } = JSON.parse(process.env.NL2CODE_WORKER_CONFIG);
const fail = process.env.NL2CODE_TEST_FAIL ? JSON.parse(process.env.NL2CODE_TEST_FAIL) : null;
Runtime.install({ logger: new DefaultLogger(process.env.NL2CODE_TEST_LOG ?? 'ERROR'), shutdownSignals: [], telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' }, forward: {} } } });

const dying = {
  async execute(input, next) {
    const result = await next(input);
    if (fail && `nl2code-${fail.kind}` === this.type && input.args[0].seq === fail.seq) {
      try {
        writeFileSync(fail.marker, String(process.pid), { flag: 'wx' });
        process.kill(process.pid, 'SIGKILL');
      } catch {
        // Another worker has died of it.
      }
    }
    if (this.type === 'nl2code-execute' && process.env.NL2CODE_TEST_DIE_AFTER_EXECUTE) {
      try {
        // One worker of all does it, after the cell's reply is stored and before anybody is told.
        unlinkSync(process.env.NL2CODE_TEST_DIE_AFTER_EXECUTE);
        process.kill(process.pid, 'SIGKILL');
      } catch {
        // Nobody asked for it.
      }
    }
    return result;
  },
};

// NL2CODE_TEST_EFFECTS: where the tool `append` has its effects; that server may die and come back. NL2CODE_TEST_IDEMPOTENCY: what the
// tool says of itself.
const append = {
  name: 'append',
  description: 'Appends a text to a list outside and tells its number.',
  parameters: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'], additionalProperties: false },
  idempotency: process.env.NL2CODE_TEST_IDEMPOTENCY ?? 'key',
  async run({ text }, { key, session, signal }) {
    for (;;) {
      try {
        const response = await fetch(process.env.NL2CODE_TEST_EFFECTS, { method: 'POST', body: JSON.stringify({ key, session, text }), signal });
        return await response.json();
      } catch (error) {
        if (signal?.aborted) throw error;
        await setTimeout(25);
      }
    }
  },
};

// NL2CODE_TEST_QUICK: no endpoint and no sandbox, each call and cell takes so many milliseconds.
const quick = process.env.NL2CODE_TEST_QUICK;
const world = quick ? quickWorld(createWorld(config, modelUrl), Number(quick)) : createWorld(config, modelUrl);
const connection = await NativeConnection.connect({ address });
// A worker that takes one activity at a time polls for no other: frozen, it swallows none.
const limits = {
  workflows: { enableNonLocalActivities: false },
  activities: { maxConcurrentActivityTaskExecutions: 1 },
}[process.env.NL2CODE_TEST_ONLY];
const bundle = process.env.NL2CODE_TEST_ONLY === 'activities' ? {} : workflowSource();
const worker = await Worker.create({
  ...limits,
  connection,
  namespace: config.namespace,
  taskQueue: config.taskQueue,
  ...bundle,
  plugins: [new Nl2codePlugin({ world, ...(process.env.NL2CODE_TEST_EFFECTS ? { tools: [append] } : {}) })],
  interceptors: { activity: [(context) => ({ inbound: Object.assign(Object.create(dying), { type: context.info.activityType }) })] },
});
process.on('disconnect', () => worker.shutdown());
process.on('SIGTERM', () => worker.shutdown());
const running = worker.run();
process.stdout.write('ready\n');
await running;
await world.close();
await connection.close();
process.exit(0);
