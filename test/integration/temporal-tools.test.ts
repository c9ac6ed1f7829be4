import { ServiceError, type WorkflowStartOptions } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { Runtime } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { prepareNamespace } from '../../src/temporal-namespace.js';
import { STATUS } from '../../src/workflows/search-attributes.js';
import { recordHistories } from '../rig/histories.js';
import { startInProcess, toEnd, type InProcess } from '../rig/in-process.js';

const warn = vi.spyOn(Runtime.instance().logger, 'warn');
let rig: InProcess;
beforeAll(async () => {
  rig = await startInProcess(inject('temporalAddress'));
});
afterAll(() => rig.close());

const request = { prompt: 'Write the kept number.', outputs: ['numbers.txt'], labels: { team: 'crm', ticket: 'A-1' } };

/** Our search attributes of a session's newest run. */
async function attributes({ temporal: client }: InProcess, session: string): Promise<Record<string, unknown>> {
  const { typedSearchAttributes } = await client.workflow.getHandle(session).describe();
  return Object.fromEntries(typedSearchAttributes.getAll().filter(({ key }) => key.name.startsWith('Nl2code')).map(({ key, value }) => [key.name, value]));
}

const events = async ({ temporal: client }: InProcess, session: string, runId?: string) => (await client.workflow.getHandle(session, runId).fetchHistory()).events!;
const Upserted = temporal.api.enums.v1.EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES;
const text = (payload: temporal.api.common.v1.IPayload | null | undefined) => JSON.parse(Buffer.from(payload!.data!).toString('utf8')) as string;

/** What the page of a run says of it now. */
async function details({ temporal: client }: InProcess, session: string): Promise<string> {
  return (await client.workflow.getHandle(session).query<{ currentDetails: string }>('__temporal_workflow_metadata')).currentDetails;
}

describe('where the namespace has our search attributes', () => {
  test('they say where a session stands, also over continue-as-new and follow-ups', async () => {
    const { session } = await rig.client.start({ ...request, approval: 'final', limits: { stepsPerRun: 3 } });
    let proposal: string | undefined;
    while (!(proposal = (await rig.client.snapshot(session))?.proposal?.id));
    expect(await attributes(rig, session)).toEqual({ Nl2codeStatus: 'waiting', Nl2codeStrategy: 'codeact', Nl2codeLabels: ['team=crm', 'ticket=A-1'], Nl2codeCostUsd: 0 });
    expect(await details(rig, session)).toMatch(/^\*\*Waiting for a decision\*\* on the script · \d+ of at most 40 steps · \$0\.000\n\n```text\nnl2code show \w+ --code\nnl2code decide \w+ approve\n```\n\nWrite the kept number\.$/);
    const { request: next } = await rig.client.followUp(session, { prompt: 'Can you also double it?', approval: 'never', labels: { team: 'web' } });
    expect(await details(rig, session)).toContain('1 request waits behind this one.');
    await rig.client.decide(session, { proposal, actor: 'a', decision: { kind: 'approve' } });
    expect((await toEnd(rig, session, undefined, next.id)).result).toMatchObject({ status: 'verified' });
    await rig.temporal.workflow.getHandle(session).result();
    expect(await attributes(rig, session)).toEqual({ Nl2codeStatus: 'verified', Nl2codeStrategy: 'codeact', Nl2codeLabels: ['team=web'], Nl2codeCostUsd: 0 });
    expect(await details(rig, session)).toMatch(/^\*\*Verified\*\* · \d+ of at most 40 steps · \$0\.000\n\nCan you also double it\?$/);
    if (process.env.NL2CODE_RECORD_HISTORIES) await recordHistories(rig.temporal, 'labelled', session);
  });

  test('a start tells the request, and each activity which step it is', async () => {
    const { session } = await rig.client.start({ ...request, prompt: 'Write the quick numbers.' });
    await toEnd(rig, session);
    await rig.temporal.workflow.getHandle(session).result();
    const description = await rig.temporal.workflow.getHandle(session).describe();
    expect(await description.staticSummary()).toBe('Write the quick numbers.');
    expect(await description.staticDetails()).toContain(`nl2code show ${session}`);
    const summaries = (await events(rig, session)).filter((event) => event.activityTaskScheduledEventAttributes).map((event) => text(event.userMetadata?.summary));
    expect(summaries).toEqual(['step 0: open', 'step 1: inspect', 'step 2: plan', 'step 3: code', 'step 4: cell', 'step 5: code', 'step 6: verify', 'step 7: review', 'step 8: close']);
    expect((await events(rig, session)).filter(({ eventType }) => eventType === Upserted)).toHaveLength(1);
  });
});

/** A new namespace that the server knows everywhere. */
async function registered(name: string): Promise<string> {
  const namespace = `${name}-${process.pid}`;
  await rig.temporal.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: { seconds: 86_400 as never } });
  while (!(await rig.temporal.workflowService.describeNamespace({ namespace }).then(() => true, () => false)));
  return namespace;
}

/** Whether the server takes a start with one of our search attributes in this namespace. */
async function takesAttributes({ temporal: { workflow }, taskQueue }: InProcess): Promise<boolean> {
  const options: WorkflowStartOptions = { workflowId: `probe-${Math.random()}`, taskQueue: `${taskQueue}-probe`, typedSearchAttributes: [{ key: STATUS, value: 'running' }] };
  try {
    await (await workflow.start('nobody', options)).terminate();
    return true;
  } catch (error) {
    if (error instanceof ServiceError && (error.cause as { code?: number }).code === 3) return false;
    throw error;
  }
}

test('a namespace that loses our search attributes while a client runs goes on without them', async () => {
  const namespace = await registered('losing');
  await prepareNamespace(rig.temporal.connection, namespace);
  const losing = await startInProcess(inject('temporalAddress'), { namespace, world: () => rig.world });
  try {
    while (!(await takesAttributes(losing)));
    const { session } = await losing.client.start({ ...request, prompt: 'Write the quick numbers.' });
    await toEnd(losing, session);
    await losing.temporal.workflow.getHandle(session).result();
    expect(await attributes(losing, session)).toMatchObject({ Nl2codeStatus: 'verified' });
    await losing.temporal.connection.operatorService.removeSearchAttributes({ namespace, searchAttributes: ['Nl2codeStatus', 'Nl2codeStrategy', 'Nl2codeLabels', 'Nl2codeCostUsd'] });
    while (await takesAttributes(losing));
    const { request: next } = await losing.client.followUp(session, { prompt: 'Can you also double it?' });
    await toEnd(losing, session, undefined, next.id);
    expect(await losing.client.start({ ...request, prompt: 'Write the quick numbers.' })).toMatchObject({ fresh: true });
  } finally {
    await losing.close();
  }
});

describe('a namespace that lacks our search attributes and knows no run of the store', () => {
  let namespace: string;
  let bare: InProcess;
  beforeAll(async () => {
    namespace = await registered('bare');
    bare = await startInProcess(inject('temporalAddress'), { namespace, world: () => rig.world });
  });
  afterAll(() => bare.close());

  test('runs sessions all the same, and the worker says once what to register', async () => {
    const { session } = await bare.client.start({ ...request, prompt: 'Write the quick numbers.', approval: 'final' });
    let proposal: string | undefined;
    while (!(proposal = (await bare.client.snapshot(session))?.proposal?.id));
    expect(await bare.client.list({ status: 'waiting' })).toMatchObject([{ session, state: 'waiting' }]);
    await bare.client.decide(session, { proposal, actor: 'a', decision: { kind: 'approve' } });
    expect((await toEnd(bare, session)).result).toMatchObject({ status: 'verified' });
    await bare.temporal.workflow.getHandle(session).result();
    expect((await events(bare, session)).filter(({ eventType }) => eventType === Upserted)).toEqual([]);
    const names = '--name Nl2codeStatus --name Nl2codeStrategy --type Keyword';
    const said = warn.mock.calls.map(([message]) => message).filter((message) => message.startsWith('nl2code:'));
    expect(said).toEqual([expect.stringContaining(`search attributes are off in namespace ${namespace}, `)]);
    expect(said[0]).toContain(`temporal operator search-attribute create --namespace ${namespace} ${names} && temporal operator search-attribute create`);
  });

  test('lists a session it has never seen or has forgotten, and goes on with it', async () => {
    const { session } = await rig.client.start(request);
    await toEnd(rig, session);
    expect(await bare.client.describe(session)).toEqual({ open: false, status: 'NOT_FOUND' });
    expect(await bare.client.list()).toContainEqual(expect.objectContaining({ session, state: 'verified', prompt: request.prompt, labels: request.labels }));
    const { request: next } = await bare.client.followUp(session, { prompt: 'Can you also double it?' });
    expect((await toEnd(bare, session, undefined, next.id)).result).toMatchObject({ status: 'verified', answer: 'The number is doubled.' });
  });
});
