import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { playbookReport } from '../../src/model/scripted/control.js';
import type { Result } from '../../src/session/result.js';
import type { Proposal } from '../../src/session/decision.js';
import { recordHistories } from '../rig/histories.js';
import { startInProcess, toEnd, type InProcess } from '../rig/in-process.js';

let rig: InProcess;
beforeAll(async () => {
  rig = await startInProcess(inject('temporalAddress'));
});
afterAll(() => rig.close());

const prompt = 'Write the quick numbers.';
const record = async (name: string, session: string): Promise<void> => (process.env.NL2CODE_RECORD_HISTORIES ? recordHistories(rig.temporal, name, session) : undefined);

/** Starts a request, calls `onProposal` once for each proposal, and gives the result. */
async function run(options: object, onProposal?: (session: string, proposal: Proposal) => Promise<void>): Promise<{ session: string; result: Result | null; proposals: Proposal[] }> {
  const { session } = await rig.client.start({ prompt, ...options });
  const proposals: Proposal[] = [];
  const end = await toEnd(rig, session, async (followed) => {
    if (followed.kind !== 'snapshot' || !followed.snapshot.proposal) return;
    const { proposal } = followed.snapshot;
    if (proposals.some(({ id }) => id === proposal.id)) return;
    proposals.push(proposal);
    await onProposal?.(session, proposal);
  });
  return { session, result: end.result, proposals };
}

describe('a session', () => {
  test('goes from a request to a verified script, its outputs and a trace', async () => {
    const { session, result } = await run({ outputs: ['numbers.txt'] });
    expect(result).toMatchObject({ status: 'verified', statement: 'runs and repeats; nobody checked the answer', scripted: true, isolation: 'bubblewrap' });
    expect(result!.artifacts).toContainEqual(expect.objectContaining({ path: 'numbers.txt', role: 'output', bytes: 3 }));
    expect(result!.script).toContain('NUMBER = 15');
    const lines = rig.store.at(session).chain.walk(rig.store.at(session).chain.head());
    expect(lines.map((link) => link.record.kind)).toEqual(['open', 'execute', 'plan', 'code', 'execute', 'code', 'execute', 'review', 'close']);
    expect(readFileSync(rig.store.at(session).trace, 'utf8').trim().split('\n')).toHaveLength(lines.length);
    await record('codeact', session);
  });

  test('under single-shot makes one model call', async () => {
    const { session, result } = await run({ strategy: 'single-shot' });
    expect(result).toMatchObject({ status: 'verified', spent: { calls: 1 } });
    await record('single-shot', session);
  });

  test('whose script does not write what was promised ends unverified, and says so', async () => {
    const { result } = await run({ strategy: 'single-shot', outputs: ['other.csv'] });
    expect(result).toMatchObject({ status: 'unverified' });
    expect(result!.verification!.findings.map(({ code }) => code)).toContain('output-missing');
  });

  test('stops where its steps are used up, with what it has', async () => {
    const { session, result } = await run({ budget: { maxSteps: 5 } });
    expect(result).toMatchObject({ status: 'stopped', reason: 'budget: all 5 steps are used', steps: 5 });
    await record('budget', session);
  });

  test('stops before a call that may not fit its tokens', async () => {
    const { result } = await run({ budget: { maxTokens: 4000 } });
    expect(result).toMatchObject({ status: 'stopped', reason: expect.stringMatching(/^budget: \d+ of 4000 tokens are spent and the next call may take \d+\./) as string });
    expect(result!.spent.promptTokens + result!.spent.completionTokens).toBeLessThanOrEqual(4000);
  });

  test('ends at its deadline, also in the middle of a step, with what it has', async () => {
    const deadline = new Date(Date.now() + 3000).toISOString();
    const { result } = await run({ prompt: 'Write the numbers, slowly.', budget: { deadline } });
    expect(result).toMatchObject({ status: 'stopped', reason: `budget: the deadline ${deadline} has passed` });
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(deadline));
  });

  test('that waits for a person ends at its deadline too', async () => {
    const { result, session } = await run({ strategy: 'single-shot', approval: 'final', budget: { deadline: new Date(Date.now() + 6000).toISOString() } });
    expect(result).toMatchObject({ status: 'stopped', reason: expect.stringMatching(/^budget: the deadline/) as string });
    await record('deadline', session);
  });

  test('started twice under one key is one session', async () => {
    const first = await rig.client.start({ prompt, idempotencyKey: 'once' });
    const second = await rig.client.start({ prompt, idempotencyKey: 'once' });
    expect(second).toMatchObject({ session: first.session, fresh: false });
    await expect(rig.client.start({ prompt: `${prompt} Again.`, idempotencyKey: 'once' })).rejects.toThrow(/belongs to another request/);
    expect((await toEnd(rig, first.session)).result).toMatchObject({ status: 'verified' });
    expect((await rig.client.list()).filter(({ session }) => session === first.session)).toHaveLength(1);
  });

  test('that continues as new ends like one that does not', async () => {
    const { session, result } = await run({ limits: { stepsPerRun: 2 } });
    expect(result).toMatchObject({ status: 'verified' });
    const { raw } = await rig.temporal.workflow.getHandle(session).describe();
    expect(raw.workflowExecutionInfo!.firstRunId).not.toBe(raw.workflowExecutionInfo!.execution!.runId);
    await record('continued', session);
  });
});

describe('an approval', () => {
  const approval = 'final';

  test('shows the exact code, and approving it verifies', async () => {
    const { session, result, proposals } = await run({ approval }, (session, proposal) => rig.client.decide(session, { proposal: proposal.id, actor: 'unauthenticated:test', decision: { kind: 'approve' } }));
    expect(proposals).toHaveLength(1);
    expect(rig.client.text(session, proposals[0]!.code)).toBe(result!.script);
    expect(result).toMatchObject({ status: 'verified', decisions: [{ actor: 'unauthenticated:test', kind: 'approve' }] });
  });

  test('by an edit runs the edited script and tells the model', async () => {
    const { session, result } = await run({ approval }, async (session, proposal) => {
      const edited = rig.client.text(session, proposal.code).replace('NUMBER = 15', 'NUMBER = 16');
      await rig.client.decide(session, { proposal: proposal.id, actor: 'a', decision: { kind: 'edit', code: { text: edited } } });
    });
    expect(result).toMatchObject({ status: 'verified', answer: "The person's version stands." });
    expect(result!.script).toContain('NUMBER = 16');
    const { chain, blobs } = rig.store.at(session);
    const told = chain.walk(chain.head()).findLast((link) => link.record.kind === 'review')!.record.sent!.add;
    expect(blobs.text(told)).toContain('+NUMBER = 16');
    await record('approval-edit', session);
  });

  test('that is rejected without a reason ends rejected', async () => {
    const { session, result } = await run({ approval }, (session, proposal) => rig.client.decide(session, { proposal: proposal.id, actor: 'a', decision: { kind: 'reject' } }));
    expect(result).toMatchObject({ status: 'rejected' });
    await record('rejected', session);
  });

  test('refuses a stale, a repeated and a malformed decision, and loses nothing', async () => {
    const { session, result } = await run({ approval }, async (session, { id }) => {
      const decide = (proposal: string, decision: object) => rig.client.decide(session, { proposal, actor: 'a', decision: decision as never });
      await expect(decide('0'.repeat(64), { kind: 'approve' })).rejects.toThrow(/not the proposal that waits/);
      await expect(decide(id, { kind: 'edit', code: { text: ' ' } })).rejects.toThrow(/needs the new code/);
      await expect(decide(id, { kind: 'maybe' })).rejects.toThrow(/approve, edit or reject/);
      await decide(id, { kind: 'approve' });
      await expect(decide(id, { kind: 'reject' })).rejects.toThrow(/decided already|not running/);
    });
    expect(result).toMatchObject({ status: 'verified' });
    await expect(rig.client.decide(session, { proposal: 'x', actor: 'a', decision: { kind: 'approve' } })).rejects.toThrow(/not running/);
  });

  test('by a signal counts once; a stale signal is recorded and ignored', async () => {
    const { session, result } = await run({ approval }, async (session, { id }) => {
      await rig.client.signalDecision(session, { proposal: 'stale', actor: 'a', decision: { kind: 'reject' } });
      await rig.client.signalDecision(session, { proposal: id, actor: 'b', decision: { kind: 'approve' } });
    });
    expect(result).toMatchObject({ status: 'verified', decisions: [{ actor: 'b', kind: 'approve' }] });
    const { chain } = rig.store.at(session);
    const facts = chain.walk(chain.head()).flatMap((link) => link.record.facts);
    expect(facts.filter((fact) => fact.kind === 'ignored-decision')).toEqual([expect.objectContaining({ proposal: 'stale', actor: 'a' })]);
    await record('approval-signal', session);
  });

  test('that nobody gives in time ends stopped, never approved', async () => {
    const { session, result } = await run({ approval: { policy: 'final', expiryMs: 1500 } });
    expect(result).toMatchObject({ status: 'stopped', reason: 'approval-expired' });
    await record('approval-expired', session);
  });
});

describe('a stop', () => {
  test('reaches a running cell within about a second and keeps what was done', async () => {
    const { session } = await rig.client.start({ prompt: 'Write the numbers, slowly.' });
    let asked = 0;
    const end = await toEnd(rig, session, async (followed) => {
      const data = followed.kind === 'event' && followed.event.kind === 'cell-output' ? (followed.event.data as { text: string }) : undefined;
      if (!data?.text.includes('begun')) return;
      asked = Date.now();
      await rig.client.stop(session, 'a');
    });
    expect(end.result).toMatchObject({ status: 'stopped', reason: 'stopped by a person' });
    expect(Date.now() - asked).toBeLessThan(4000);
    const { chain } = rig.store.at(session);
    expect(chain.walk(chain.head()).filter((link) => link.record.kind === 'execute').length).toBeGreaterThanOrEqual(3);
    await record('stop', session);
  });
});

test('every playbook turn was asked for, and none too many', async () => {
  const { conversations } = await playbookReport(rig.modelUrl);
  for (const conversation of conversations.filter(({ playbook }) => playbook.startsWith('quick'))) expect(conversation.mismatches).toEqual([]);
});
