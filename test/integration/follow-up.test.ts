import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Nl2codeError } from '../../src/session/error-table.js';
import { changeLines } from '../../src/verification/changes-text.js';
import { startInProcess, toEnd, type InProcess } from '../rig/in-process.js';
import { recordHistories } from '../rig/histories.js';

let rig: InProcess;
beforeAll(async () => {
  rig = await startInProcess(inject('temporalAddress'));
});
afterAll(() => rig.close());

const first = { prompt: 'Write the kept number.', outputs: ['numbers.txt'] };
const record = async (name: string, session: string): Promise<void> => (process.env.NL2CODE_RECORD_HISTORIES ? recordHistories(rig.temporal, name, session) : undefined);
const kinds = (session: string) => rig.store.at(session).chain.walk(rig.store.at(session).chain.head()).map((link) => link.record.kind);
const output = (session: string, request?: string) => {
  const found = rig.client.get(session, request)!.artifacts.find(({ path }) => path === 'numbers.txt')!;
  return rig.store.at(session).blobs.read(found.sha256);
};

describe('a follow-up', () => {
  test('of a session that is over goes on with its variables, its conversation and its script', async () => {
    const { session } = await rig.client.start(first);
    expect((await toEnd(rig, session)).result).toMatchObject({ status: 'verified' });
    const { request, before } = await rig.client.followUp(session, { prompt: 'Can you also double it?' });
    expect(before).toBe(0);
    const { result } = await toEnd(rig, session, undefined, request.id);
    expect(result).toMatchObject({ request: request.id, status: 'verified', answer: 'The number is doubled.' });
    expect([output(session, 'r1'), output(session, request.id)]).toEqual(['15', '30']);
    expect(rig.client.get(session, 'r1')!.verification!.changes).toBeUndefined();
    expect(changeLines(result!.verification!.changes!)).toEqual(['script: 1 line added, 1 removed', 'numbers.txt: 1 line left, 1 came']);
    // Nothing is inspected anew, and the kernel is the one of the first request.
    expect(kinds(session).slice(kinds(session).lastIndexOf('open'))).toEqual(['open', 'plan', 'code', 'execute', 'code', 'execute', 'review', 'close']);
    await record('follow-up', session);
  });

  test('of a session that runs waits for its turn, and each has its own verdict', async () => {
    const { session } = await rig.client.start({ ...first, approval: 'final' });
    let proposal: string | undefined;
    while (!(proposal = (await rig.client.snapshot(session))?.proposal?.id));
    const { request, before } = await rig.client.followUp(session, { prompt: 'Can you also double it?', approval: 'never' });
    expect(before).toBe(1);
    expect((await rig.client.snapshot(session))!.waiting).toEqual([request.id]);
    await rig.client.decide(session, { proposal, actor: 'a', decision: { kind: 'approve' } });
    expect((await toEnd(rig, session, undefined, request.id)).result).toMatchObject({ status: 'verified', request: request.id });
    expect(rig.client.get(session, 'r1')).toMatchObject({ status: 'verified', decisions: [{ actor: 'a', kind: 'approve' }] });
    await record('follow-up-queued', session);
  });

  test('sent twice under one key is one request, also when it is over', async () => {
    const { session } = await rig.client.start(first);
    await toEnd(rig, session);
    const options = { prompt: 'Can you also double it?', idempotencyKey: 'again' };
    const sent = await Promise.all([rig.client.followUp(session, options), rig.client.followUp(session, options)]);
    const { request } = sent[0]!;
    expect(sent[1]!.request.id).toBe(request.id);
    await toEnd(rig, session, undefined, request.id);
    await rig.client.followUp(session, options);
    await rig.temporal.workflow.getHandle(session).result();
    expect(kinds(session).filter((kind) => kind === 'open')).toHaveLength(2);
    expect(kinds(session).filter((kind) => kind === 'close')).toHaveLength(2);
  });

  test('that nobody answered is one request when it is sent again with the key its error carries', async () => {
    const { session } = await rig.client.start(first);
    await toEnd(rig, session);
    await rig.temporal.workflow.getHandle(session).result();
    const taskQueue = `${rig.taskQueue}-away`;
    const client = rig.clientOn(taskQueue);
    const asked = { prompt: 'Can you also double it?' };
    const unanswered = await client.followUp(session, asked).then(() => undefined, (error: Nl2codeError) => error);
    const { idempotencyKey } = unanswered!;
    expect(unanswered!.message).toBe(`Session ${session} does not answer: no worker runs it now. Start one. Then send it again with --idempotency-key "${idempotencyKey}": it is done once, whether it was taken before or not.`);
    const late = await startInProcess(inject('temporalAddress'), { taskQueue, world: () => rig.world });
    const { request } = await client.followUp(session, { ...asked, idempotencyKey });
    expect((await toEnd(rig, session, undefined, request.id)).result).toMatchObject({ status: 'verified' });
    await rig.temporal.workflow.getHandle(session).result();
    expect(kinds(session).filter((kind) => kind === 'open')).toHaveLength(2);
    await late.close();
  });

  test('keeps its place over a continue-as-new', async () => {
    const { session } = await rig.client.start({ ...first, limits: { stepsPerRun: 1 } });
    const { request } = await rig.client.followUp(session, { prompt: 'Can you also double it?' });
    expect((await toEnd(rig, session, undefined, request.id)).result).toMatchObject({ status: 'verified' });
    expect(rig.client.get(session, 'r1')).toMatchObject({ status: 'verified' });
  });

  test('that waits when the session is stopped is stopped with it; one that comes later runs', async () => {
    const { session } = await rig.client.start({ ...first, approval: 'final' });
    while (!(await rig.client.snapshot(session))?.proposal);
    const waiting = await rig.client.followUp(session, { prompt: 'Can you also double it?' });
    await rig.client.stop(session, 'a');
    expect((await toEnd(rig, session, undefined, waiting.request.id)).result).toMatchObject({ status: 'stopped', steps: 0 });
    expect(rig.client.get(session, 'r1')).toMatchObject({ status: 'stopped', reason: 'stopped by a person' });
    const later = await rig.client.followUp(session, { prompt: 'Can you also double it?', approval: 'never' });
    // No turn of the playbook fits here; that it ran and got its verdict is what counts.
    expect((await toEnd(rig, session, undefined, later.request.id)).result!.steps).toBeGreaterThan(0);
  });

  test('begins from what a person made of the script, and says what it changes', async () => {
    const { session } = await rig.client.start({ ...first, approval: 'final' });
    const decided = await toEnd(rig, session, async (followed) => {
      const proposal = followed.kind === 'snapshot' ? followed.snapshot.proposal : null;
      if (!proposal || rig.store.at(session).chain.walk(rig.store.at(session).chain.head()).some(({ record }) => record.facts.some(({ kind }) => kind === 'decision'))) return;
      const text = rig.client.text(session, proposal.code).replace('15', '16');
      await rig.client.decide(session, { proposal: proposal.id, actor: 'a', decision: { kind: 'edit', code: { text } } }).catch(() => undefined);
    });
    expect(decided.result).toMatchObject({ status: 'verified', script: expect.stringContaining('"16"') as string });
    // The playbook doubles the 15 of its own script: the person's 16 is what it finds, and stays.
    const { request } = await rig.client.followUp(session, { prompt: 'Can you also double it?', approval: 'never' });
    const { result } = await toEnd(rig, session, undefined, request.id);
    expect(result!.script).toContain('"16"');
    expect(changeLines(result!.verification!.changes!)).toEqual(['script: not changed', 'outputs: nothing changed, the file holds the same as before']);
  });

  test('after a stop finds the variables and the files of the cell that was stopped', async () => {
    const { session } = await rig.client.start({ prompt: 'Write the long number.', outputs: ['number.txt'] });
    const stopped = await toEnd(rig, session, async (followed) => {
      if (followed.kind === 'event' && followed.event.kind === 'cell-output' && (followed.event.data as { text: string }).text.includes('begun')) await rig.client.stop(session, 'a');
    });
    expect(stopped.result).toMatchObject({ status: 'stopped', reason: 'stopped by a person' });
    const { chain, blobs } = rig.store.at(session);
    const cell = chain.walk(chain.head()).findLast(({ record }) => record.kind === 'execute')!.record;
    expect(JSON.parse(blobs.text(cell.refs.observation!))).toMatchObject({ kind: 'cell', ended: 'interrupted' });
    const { request } = await rig.client.followUp(session, { prompt: 'Write what you have.' });
    const { result } = await toEnd(rig, session, undefined, request.id);
    expect(result).toMatchObject({ status: 'verified', answer: 'The number was kept.' });
    // Nothing was verified before: there is nothing to hold it against.
    expect(result!.verification!.changes).toBeUndefined();
  });

  test('does not inherit a deadline, nor repairs from another strategy', async () => {
    const deadline = new Date(Date.now() + 60_000).toISOString();
    const { session, request: before } = await rig.client.start({ ...first, budget: { deadline, maxSteps: 50 } });
    await toEnd(rig, session);
    expect(before.budget.deadline).toBe(deadline);
    const { request } = await rig.client.followUp(session, { prompt: 'Can you also double it?', strategy: 'single-shot' });
    expect(request).toMatchObject({ budget: { deadline: null, maxSteps: 50 }, limits: { maxRepairs: 0 } });
    await toEnd(rig, session, undefined, request.id);
  });

  test('that can not be taken is refused in one sentence, and the session stays as it was', async () => {
    const { session } = await rig.client.start(first);
    await toEnd(rig, session);
    const head = rig.store.at(session).chain.head();
    await expect(rig.client.followUp('nobody', { prompt: 'x' })).rejects.toMatchObject({ code: 'not-found' });
    await expect(rig.client.followUp(session, { prompt: ' ' })).rejects.toThrow(/prompt is empty/);
    await expect(rig.client.followUp(session, { prompt: 'x', inputs: ['missing.csv'] })).rejects.toMatchObject({ code: 'bad-input' });
    await expect(rig.client.followUp(session, { prompt: 'x', isolation: 'none' })).rejects.toThrow(/keeps its isolation/);
    await expect(rig.client.followUp(session, { prompt: 'x', pack: 'marketing' })).rejects.toThrow('A session keeps its pack, which is null: leave it out, or start a new session.');
    await expect(rig.client.followUp(session, { prompt: 'x', budget: { maxSteps: 1 } })).rejects.toThrow(/budget\.maxSteps is 1, but strategy codeact needs/);
    await expect(rig.client.followUp(session, { prompt: 'x', budget: { deadline: '2020-01-01T00:00:00Z' } })).rejects.toThrow(/which has passed/);
    // A folder that no run of ours belongs to.
    rig.store.session('foreign');
    await expect(rig.client.followUp('foreign', { prompt: 'x' })).rejects.toThrow('Session foreign has no request to go on from: it was never begun, or no worker has taken it up.');
    expect(rig.store.at(session).chain.head()).toBe(head);
  });
});
