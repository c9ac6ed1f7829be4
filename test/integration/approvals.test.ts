import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { playbookReport } from '../../src/model/scripted/control.js';
import type { Decision, Proposal } from '../../src/session/decision.js';
import type { Plan } from '../../src/session/plan.js';
import type { Result } from '../../src/session/result.js';
import { recordHistories } from '../rig/histories.js';
import { startInProcess, toEnd, type InProcess } from '../rig/in-process.js';

let rig: InProcess;
beforeAll(async () => {
  rig = await startInProcess(inject('temporalAddress'));
});
afterAll(() => rig.close());

const prompt = 'Write the agreed table.';
const record = async (name: string, session: string): Promise<void> => (process.env.NL2CODE_RECORD_HISTORIES ? recordHistories(rig.temporal, name, session) : undefined);
const decide = (session: string, proposal: string, decision: Decision) => rig.client.decide(session, { proposal, actor: 'ann', decision });

/** Answers each proposal once, by what waits and how many waited before, and gives the result with what was proposed. */
async function run(options: object, answer: (proposal: Proposal, session: string, nth: number) => Decision | Promise<Decision>): Promise<{ session: string; result: Result; proposals: Proposal[] }> {
  const { session } = await rig.client.start({ prompt, ...options });
  const proposals: Proposal[] = [];
  const end = await toEnd(rig, session, async (followed) => {
    const proposal = followed.kind === 'snapshot' ? followed.snapshot.proposal : null;
    if (!proposal || proposals.some(({ id }) => id === proposal.id)) return;
    proposals.push(proposal);
    await decide(session, proposal.id, await answer(proposal, session, proposals.length));
  });
  return { session, result: end.result!, proposals };
}

describe('approval of the plan', () => {
  const approval = 'plan';

  test('with an answer goes on by it; what was not asked, is stale or is no plan is refused and loses nothing', async () => {
    const { session, result, proposals } = await run({ approval }, async ({ id }, session) => {
      await expect(decide(session, id, { kind: 'approve', answers: { q2: 'x' } })).rejects.toThrow('There is no question "q2": the plan asks q1.');
      await expect(decide(session, id, { kind: 'edit', code: { text: 'print(1)' } })).rejects.toThrow(/The plan is no JSON: .* Correct it and send the edit again\./);
      await expect(decide(session, id, { kind: 'edit', code: { text: '{"steps": ["a"], "checks": [{"kind": "python", "output": "x", "code": "True"}]}' } })).rejects.toThrow(/its kind is "python"; the kinds are rows, /);
      await expect(decide(session, id, { kind: 'edit', code: { hash: 'a'.repeat(64) } })).rejects.toThrow(/can't be taken by hash/);
      await expect(decide(session, `${'0'.repeat(64)}:plan`, { kind: 'approve' })).rejects.toThrow(/not the proposal that waits/);
      return { kind: 'approve', answers: { q1: '4' } };
    });
    expect(proposals).toEqual([{ id: expect.stringMatching(/:plan$/) as string, what: 'plan', code: expect.any(String) as string, questions: 1 }]);
    expect(JSON.parse(rig.client.text(session, proposals[0]!.code)) as Plan).toMatchObject({ steps: ['Write the table with a script'], questions: [{ id: 'q1', options: ['3', '4'], default: '3' }] });
    expect(result, result.reason ?? '').toMatchObject({
      status: 'verified',
      statement: 'runs, repeats, request checks 2/2',
      assumptions: ['a row is a number'],
      questions: [{ question: 'How many rows?', answer: '4', by: 'ann' }],
      checks: [{ text: 'table.csv: at least 3 rows' }, { text: 'table.csv: n never repeats' }],
      decisions: [{ actor: 'ann', what: 'plan', kind: 'approve' }],
    });
    expect(result.script).toContain('ROWS = 4');
    await record('approval-plan', session);
  });

  test('by an edit holds the script to the edited checks', async () => {
    const { session, result } = await run({ approval }, ({ code }, session) => {
      const plan = JSON.parse(rig.client.text(session, code)) as Plan;
      return { kind: 'edit', code: { text: JSON.stringify({ ...plan, checks: [{ kind: 'rows', output: 'table.csv', equals: 5 }] }) } };
    });
    expect(result, result.reason ?? '').toMatchObject({ status: 'verified', statement: 'runs, repeats, request checks 1/1', checks: [{ text: 'table.csv: exactly 5 rows' }], questions: [{ answer: '3', by: 'default' }] });
    expect(result.script).toContain('ROWS = 5');
    await record('approval-plan-edit', session);
  });

  test('rejected with a reason is planned again', async () => {
    const { result, proposals } = await run({ approval }, (_proposal, _session, nth) => (nth === 1 ? { kind: 'reject', reason: 'Fewer words.' } : { kind: 'approve' }));
    expect(proposals.map(({ what }) => what)).toEqual(['plan', 'plan']);
    expect(result, result.reason ?? '').toMatchObject({ status: 'verified', assumptions: [], decisions: [{ kind: 'reject', reason: 'Fewer words.' }, { kind: 'approve' }] });
  });

  test('that nobody gives in time ends stopped before any code', async () => {
    const { session } = await rig.client.start({ prompt, approval: { policy: approval, expiryMs: 1000 } });
    const { result } = await toEnd(rig, session);
    expect(result).toMatchObject({ status: 'stopped', reason: 'approval-expired', steps: 2, script: null });
  });

  test('is refused with a strategy that makes no plan first', async () => {
    for (const strategy of ['single-shot', 'react', 'auto']) await expect(rig.client.start({ prompt, approval, strategy })).rejects.toThrow(/^The approval policy "plan" does not fit strategy .*: choose codeact or chained, or approval "final"\.$/);
  });
});

describe('approval of every cell', () => {
  const approval = 'every-cell';

  test('runs what a person makes of a cell; an edit that is no Python runs nothing and the cell waits again', async () => {
    const { session, result, proposals } = await run({ approval }, ({ what, code }, session, nth) => {
      const text = rig.client.text(session, code);
      if (what === 'cell' && nth === 1) return { kind: 'edit', code: { text: 'def broken(:\n' } };
      return what === 'cell' ? { kind: 'edit', code: { text: text.replace('ROWS = 3', 'ROWS = 6') } } : { kind: 'approve' };
    });
    expect(proposals.map(({ what, problem }) => [what, problem])).toEqual([
      ['cell', undefined],
      ['cell', expect.stringMatching(/^The edit is no Python, so nothing of it ran: SyntaxError: /)],
      ['script', undefined],
    ]);
    expect(proposals[1]!.code).toBe(proposals[0]!.code);
    expect(result, result.reason ?? '').toMatchObject({ status: 'verified', questions: [{ answer: '3', by: 'default' }], decisions: [{ what: 'cell', kind: 'edit' }, { what: 'cell', kind: 'edit' }, { what: 'script', kind: 'approve' }] });
    expect(result.script).toContain('ROWS = 6');
    expect(rig.client.text(session, proposals[2]!.code)).toBe(result.script);
    const { chain, blobs } = rig.store.at(session);
    const sent = chain.walk(chain.head()).flatMap(({ record: { sent } }) => (sent ? [blobs.text(sent.add)] : []));
    expect(sent.join('\n')).toContain('+ROWS = 6');
    await record('approval-every-cell', session);
  });

  test('that refuses a cell is told to the model, which takes another way', async () => {
    const { result, proposals } = await run({ approval }, (_proposal, _session, nth) => (nth === 1 ? { kind: 'reject', reason: 'Write the numbers out.' } : { kind: 'approve' }));
    expect(proposals.map(({ what }) => what)).toEqual(['cell', 'cell', 'script']);
    expect(result, result.reason ?? '').toMatchObject({ status: 'verified' });
    expect(result.script).toContain('n\\n0\\n1\\n2\\n');
  });
});

test('no reply of the playbook was one too many', async () => {
  const { conversations } = await playbookReport(rig.modelUrl);
  for (const conversation of conversations) expect(conversation.mismatches).toEqual([]);
});
