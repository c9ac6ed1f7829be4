// Cost of a step: the product's workflow with a model and a kernel that do nothing, against a bare workflow of as many activities and
// as many history bytes on the same server, task queue and settings. Measures neither models nor Python.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import { bundleWorkflowCode, NativeConnection, Worker } from '@temporalio/worker';
import { Nl2codePlugin } from '../dist/plugin.js';
import { noopRequest, noopWorld } from './noop-world.mjs';
import { median, range } from './figures.mjs';

/** Steps that surround the code + execute pairs: open, inspect, plan, submit, verify, review, close. */
const AROUND = 7;
const ROUNDS = 5;
const STEPS = 200;

export async function stepBench({ address, durability }) {
  const root = mkdtempSync(join(tmpdir(), 'nl2code-bench-'));
  const connection = await Connection.connect({ address });
  const client = new Client({ connection });
  const native = await NativeConnection.connect({ address });
  const taskQueue = `bench-${durability}-${Date.now()}`;
  const workflowBundle = await bundleWorkflowCode({ workflowsPath: fileURLToPath(new URL('./workflows.mjs', import.meta.url)), logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} } });
  const pairs = { value: 0 };
  const world = noopWorld(root, durability);
  const complete = world.endpoint.complete;
  world.endpoint.complete = (request) => complete(request, pairs);
  const worker = await Worker.create({ connection: native, taskQueue, workflowBundle, activities: { bare: async (text) => text.slice(0, 8) }, plugins: [new Nl2codePlugin({ world })] });
  const running = worker.run();
  let n = 0;
  const start = async (type, args) => {
    const workflowId = `b${(Date.now() % 1e6).toString(36)}${n++}`.padEnd(10, 'x');
    const began = performance.now();
    const handle = await client.workflow.start(type, { workflowId, taskQueue, args: [args], workflowTaskTimeout: '5s' });
    await handle.result();
    return { workflowId, ms: performance.now() - began };
  };
  const ours = (steps) => {
    pairs.value = Math.floor((steps - AROUND) / 2);
    return start('nl2codeWorkflow', { request: noopRequest(steps) });
  };
  const bare = (steps, pad) => start('bareWorkflow', { steps, pad, perRun: 75 });
  try {
    // As many bytes: measured on one run of each, corrected once.
    const activities = Math.floor((STEPS - AROUND) / 2) * 2 + AROUND;
    const first = await history(client, (await ours(STEPS)).workflowId);
    const empty = await history(client, (await bare(activities, 0)).workflowId);
    const pad = Math.max(0, Math.round((first.bytes - empty.bytes) / activities));
    const padded = await history(client, (await bare(activities, pad)).workflowId);
    const rounds = { ours: [], equal: [], empty: [] };
    for (let i = 0; i < ROUNDS; i += 1) {
      rounds.ours.push((await ours(STEPS)).ms / activities);
      rounds.equal.push((await bare(activities, pad)).ms / activities);
      rounds.empty.push((await bare(activities, 0)).ms / activities);
    }
    const sizes = [];
    for (const steps of [10, 100, 1000]) {
      const seen = await history(client, (await ours(steps)).workflowId);
      const taken = Math.floor((steps - AROUND) / 2) * 2 + AROUND;
      sizes.push({ steps: taken, ...seen, bytesPerActivity: Math.round(seen.bytes / taken), bytesPerPair: Math.round((2 * seen.bytes) / taken), eventsPerActivity: +(seen.events / taken).toFixed(2) });
    }
    return {
      durability,
      msPerStep: { ours: median(rounds.ours), bareEqualBytes: median(rounds.equal), bareEmpty: median(rounds.empty) },
      range: { ours: range(rounds.ours), bareEqualBytes: range(rounds.equal), bareEmpty: range(rounds.empty) },
      ratioEqualBytes: median(rounds.ours.map((ms, i) => ms / rounds.equal[i])),
      ratioRange: range(rounds.ours.map((ms, i) => ms / rounds.equal[i])),
      ratioEmpty: median(rounds.ours.map((ms, i) => ms / rounds.empty[i])),
      bytes: { ours: first.bytes, bareEqualBytes: padded.bytes, bareEmpty: empty.bytes },
      history: sizes,
    };
  } finally {
    worker.shutdown();
    await running;
    await native.close();
    await connection.close();
    rmSync(root, { recursive: true, force: true });
  }
}

/** Events and encoded bytes over all runs of a workflow id. */
export async function history(client, workflowId) {
  let bytes = 0;
  let events = 0;
  let largest = 0;
  let runs = 0;
  const first = (await client.workflow.getHandle(workflowId).describe()).raw.workflowExecutionInfo.firstRunId;
  for (let runId = first; runId; ) {
    const found = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    const size = proto.temporal.api.history.v1.History.encode(found).finish().length;
    bytes += size;
    largest = Math.max(largest, size);
    events += found.events.length;
    runs += 1;
    runId = found.events.at(-1).workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
  }
  return { bytes, events, runs, largest };
}
