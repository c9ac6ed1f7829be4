/**
 * Our workflow with doubles of nl2code's model and sandbox: real workflows, activities and interceptors on a real Temporal server
 * (`temporal server start-dev`, or TEMPORAL_ADDRESS), but no AI, no Python and no bubblewrap.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker, type WorkflowBundle } from '@temporalio/worker';
import { Nl2codePlugin } from 'temporal-nl2code';
import { scriptedModel, testWorld, type ScriptedTurn, type TestWorldOptions } from 'temporal-nl2code/testing';
import { createReportActivities } from '../src/activities.js';
import { accountingInterceptor, type Work } from '../src/activity-interceptors.js';
import { teamInterceptor } from '../src/client-interceptors.js';
import { createReportTools } from '../src/tools.js';
import type { monthlyReport, Report } from '../src/workflows.js';

const module = (name: string) => fileURLToPath(new URL(name, import.meta.url));

let connection: NativeConnection;
let workflowBundle: WorkflowBundle;

before(async () => {
  const logger = new DefaultLogger('WARN');
  Runtime.install({ logger });
  connection = await NativeConnection.connect({ address: process.env.TEMPORAL_ADDRESS ?? 'localhost:7233' });
  // As in production, bundled once: our workflows, our interceptors, and nl2code's workflow.
  workflowBundle = await bundleWorkflowCode({ workflowsPath: module('../src/workflows.js'), workflowInterceptorModules: [module('../src/workflow-interceptors.js')], logger });
});

after(() => connection.close());

const submit = (name: string, expect: RegExp[]): ScriptedTurn => ({ name, expect, calls: [{ tool: 'submit', arguments: { path: 'revenue.py', outputs: ['revenue.csv'], answer: 'APAC leads.' } }] });
const review = (name: string, accept: boolean): ScriptedTurn => ({ name, calls: [{ tool: 'review', arguments: { accept, summary: 'APAC leads with 310.00.' } }] });

/** What the model says: a plan, a script whose text no double reads, what it hands in, and what it thinks of the findings. */
const begin: ScriptedTurn[] = [
  { name: 'plan', expect: [/Write the revenue per region of/, /sales\.csv/], say: '1. Add up the amounts by region.' },
  { name: 'write', calls: [{ tool: 'run_cell', arguments: { code: '%%writefile revenue.py\nprint("revenue")\n' } }] },
  submit('submit', [/Wrote revenue\.py/]),
];

/** One run of our workflow in a world of its own. */
async function run(month: string, model: ScriptedTurn[], options: Omit<TestWorldOptions, 'model'>): Promise<{ report: Report; work: Work[]; table: string | null }> {
  const scripted = await scriptedModel(model);
  const world = testWorld({ model: scripted, ...options });
  const folder = await mkdtemp(join(tmpdir(), 'reports-'));
  const work: Work[] = [];
  try {
    const taskQueue = `reports-${process.pid}-${month}`;
    const client = new Client({ connection, interceptors: { workflow: [teamInterceptor('sales')] } });
    const worker = await Worker.create({
      connection,
      taskQueue,
      workflowBundle,
      activities: createReportActivities(world.client(client, taskQueue, { allow: [folder] }), folder),
      interceptors: { activity: [accountingInterceptor((each) => work.push(each))] },
      plugins: [new Nl2codePlugin({ world, tools: createReportTools(folder) })],
    });
    const report = await worker.runUntil(client.workflow.execute<typeof monthlyReport>('monthlyReport', { workflowId: taskQueue, taskQueue, args: [month] }));
    // Fails when the model was asked too often, or not as often as the turns say.
    await scripted.assertPlayed();
    return { report, work, table: report.published && (await readFile(report.published, 'utf8')) };
  } finally {
    await world.close();
    await scripted.close();
    await rm(folder, { recursive: true, force: true });
  }
}

test('a tool answers what was published for a month, and nothing else', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'reports-'));
  try {
    await writeFile(join(folder, 'revenue-2026-09.csv'), 'region,revenue\n');
    const published = createReportTools(folder)[0]!;
    const call = { key: 'k', session: 's', signal: new AbortController().signal };
    assert.equal(await published.run({ month: '2026-09' }, call), 'region,revenue\n');
    assert.equal(await published.run({ month: '2026-08' }, call), null);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('a verified report is published, and every step is on the account of the team that asked', async () => {
  const { report, work, table } = await run(`m${Date.now()}a`, [...begin, review('review', true)], { outputs: { 'revenue.csv': 'region,revenue\nAPAC,310.00\n' } });
  assert.equal(report.status, 'verified');
  assert.equal(table, 'region,revenue\nAPAC,310.00\n');
  assert.deepEqual([...new Set(work.map(({ team }) => team))], ['sales']);
  for (const activity of ['prepareReport', 'nl2code-open', 'nl2code-plan', 'nl2code-code', 'nl2code-execute', 'nl2code-review', 'nl2code-close', 'publishReport']) {
    assert.ok(work.some((each) => each.activity === activity), `${activity} was not seen`);
  }
});

test('a script that fails is repaired before anything is published', async () => {
  const turns = [...begin, review('see what is wrong', false), submit('submit again', [/amounts are summed twice/]), review('review', true)];
  const { report } = await run(`m${Date.now()}b`, turns, { outputs: { 'revenue.csv': 'region,revenue\n' }, findings: ['The amounts are summed twice.'] });
  assert.equal(report.status, 'verified');
});

test('a report that does not verify is not published', async () => {
  const giveUp: ScriptedTurn[] = [{ name: 'plan', say: '1. Think.' }, { name: 'talk', say: 'I can not do this.' }, { name: 'talk on', say: 'I still can not.' }];
  const { report } = await run(`m${Date.now()}c`, giveUp, {});
  assert.equal(report.published, null);
  assert.notEqual(report.status, 'verified');
});
