import { describe, expect, test } from 'vitest';
import type { Decision } from '../../src/session/decision.js';
import type { Request } from '../../src/session/request.js';
import { decisionProblem, newSession, requestProblem } from '../../src/session/session-state.js';
import { bad, ok, play, request, type Script } from './scripted-ports.js';

const approval = (policy: Request['approval']['policy']): Pick<Request, 'approval'> => ({ approval: { policy, expiryMs: 1000 } });
const cell = { calls: [{ id: 'c1', tool: 'run_cell', code: 'x' }] };
const submit = { calls: [{ id: 's1', tool: 'submit', path: 'a.py' }] };
const planned = { items: 2, plan: 'p1', questions: 1 };
const world: Script = { plan: [planned], code: [submit], execute: [ok(), ok('script1')], review: [{ accept: true }] };
const facts = (run: Awaited<ReturnType<typeof play>>) => run.calls.flatMap((call) => call.facts);
const decided = (run: Awaited<ReturnType<typeof play>>) => facts(run).filter((fact) => fact.kind === 'decision' || fact.kind === 'defaults-taken');

describe('under policy plan', () => {
  const asking = approval('plan');

  test('a plan waits with the hash of what was shown, and its answers are told with the next step; the script is not shown', async () => {
    const run = await play(asking, world, [{ kind: 'approve', answers: { q1: 'EU' } }]);
    expect(run.verdict).toEqual({ request: 'r1', status: 'verified', script: 'script1' });
    expect(run.proposals).toEqual([{ id: 'h3:plan', what: 'plan', code: 'p1', questions: 1 }]);
    const next = run.calls[run.calls.findIndex((call) => call.kind === 'plan') + 1]!;
    expect(next.facts).toContainEqual({ kind: 'decision', proposal: 'h3:plan', what: 'plan', actor: 'tester', decision: { kind: 'approve', answers: { q1: 'EU' } } });
    expect(run.unused).toEqual([]);
  });

  test('an edited plan is worked by: chained does as many steps as it has', async () => {
    const code = { text: JSON.stringify({ steps: ['one', 'two', 'three'] }) };
    const steps = Array.from({ length: 3 }, () => ({ calls: [{ id: 'reply', tool: 'run_cell', code: 'x' }] }));
    const run = await play({ ...asking, strategy: 'chained' }, { plan: [planned], code: [...steps, { calls: [{ id: 's1', tool: 'submit', code: 'script' }] }], execute: [ok(), ok(), ok(), ok(), ok('script1')], review: [{ accept: true }] }, [{ kind: 'edit', code }]);
    expect(run.verdict.status).toBe('verified');
    expect(run.unused).toEqual([]);
  });

  test('a rejection with a reason asks the model again, within the steps it has', async () => {
    const run = await play(asking, { ...world, plan: [planned, { items: 1, plan: 'p2' }] }, [{ kind: 'reject', reason: 'EU only' }, { kind: 'approve' }]);
    expect(run.verdict.status).toBe('verified');
    expect(run.proposals.map(({ code }) => code)).toEqual(['p1', 'p2']);
    const endless = await play({ ...asking, budget: { maxSteps: 4, maxCostUsd: null, maxTokens: null, deadline: null } }, { plan: Array<typeof planned>(9).fill(planned), execute: [ok()] }, Array<Decision>(9).fill({ kind: 'reject', reason: 'no' }));
    expect(endless.verdict).toMatchObject({ status: 'stopped', reason: 'budget: all 4 steps are used' });
  });

  test.each<[Decision, object]>([
    [{ kind: 'reject' }, { status: 'rejected', reason: 'the plan was rejected without a reason' }],
    [{ kind: 'expired' }, { status: 'stopped', reason: 'approval-expired' }],
  ])('%j ends the request before any code', async (decision, end) => {
    const run = await play(asking, { plan: [planned], execute: [ok()] }, [decision]);
    expect(run.verdict).toEqual({ request: 'r1', ...end });
    expect(run.kinds).toEqual(['open', 'inspect', 'plan', 'close']);
  });

  test('a reply without a plan is no plan to approve: it is asked for again, and twice ends the request', async () => {
    const run = await play(asking, { plan: [{ items: 0 }, { items: 0 }], execute: [ok()] });
    expect(run.proposals).toEqual([]);
    expect(run.verdict).toMatchObject({ status: 'stopped', reason: 'two replies in a row held no plan' });
  });
});

test.each(['never', 'final', 'every-cell'] as const)('under policy %s the defaults of a plan are taken, and the chain says so', async (policy) => {
  const run = await play(approval(policy), world, policy === 'never' ? [] : [{ kind: 'approve' }]);
  expect(decided(run)[0]).toEqual({ kind: 'defaults-taken' });
  const silent = await play(approval('never'), { ...world, plan: [{ items: 2, plan: 'p1' }] });
  expect(decided(silent)).toEqual([]);
});

describe('under policy every-cell', () => {
  const asking = approval('every-cell');
  const both: Script = { ...world, code: [cell, submit], execute: [ok(), ok(), ok('script1')] };

  test('a cell waits before it runs, and what was shown is what runs; the script waits too', async () => {
    const run = await play(asking, both, [{ kind: 'approve' }, { kind: 'approve' }]);
    expect(run.verdict.status).toBe('verified');
    expect(run.proposals.map(({ what, code }) => [what, code])).toEqual([['cell', 'x'], ['script', 'script1']]);
    expect(run.calls.find((call) => call.kind === 'execute' && call.facts.some((fact) => fact.kind === 'decision'))!.args).toEqual({ target: 'cell', call: 'c1', code: { hash: 'x' } });
  });

  test('an edit runs in its place', async () => {
    const run = await play(asking, both, [{ kind: 'edit', code: { text: 'y = 1' } }, { kind: 'approve' }]);
    expect(run.calls.filter((call) => call.kind === 'execute')[1]!.args).toEqual({ target: 'cell', call: 'c1', code: { text: 'y = 1' } });
    expect(run.verdict.status).toBe('verified');
  });

  test('a rejection is an observation: nothing runs, the rest of the reply is noted as not run, and the model goes on', async () => {
    const calls = [...cell.calls, { id: 'c2', tool: 'run_cell', code: 'y' }];
    const run = await play(asking, { ...world, code: [{ calls }, submit], execute: [ok(), ok('script1')] }, [{ kind: 'reject', reason: 'too slow' }, { kind: 'approve' }]);
    expect(run.verdict.status).toBe('verified');
    const next = run.calls.filter((call) => call.kind === 'code')[1]!.facts;
    expect(next.filter((fact) => fact.kind === 'not-run')).toEqual([{ kind: 'not-run', call: 'c2', why: 'An earlier call of the same reply failed.' }]);
    expect(next).toContainEqual(expect.objectContaining({ kind: 'decision', what: 'cell', decision: { kind: 'reject', reason: 'too slow' } }));
  });

  test('an edit that is no Python has run nothing: the cell waits again as it was, and says why', async () => {
    const run = await play(asking, { ...both, execute: [ok(), { ...bad(), unparsed: 'line 1: nonsense' }, ok(), ok('script1')] }, [{ kind: 'edit', code: { text: 'no python' } }, { kind: 'approve' }, { kind: 'approve' }]);
    expect(run.verdict.status).toBe('verified');
    expect(run.proposals[1]).toEqual({ id: 'h5:c1', what: 'cell', code: 'x', problem: 'The edit is no Python, so nothing of it ran: line 1: nonsense' });
    expect(new Set(run.proposals.map(({ id }) => id)).size).toBe(3);
  });

  test('one that expires ends the request', async () => {
    const run = await play(asking, { ...both, execute: [ok()] }, [{ kind: 'expired' }]);
    expect(run.verdict).toEqual({ request: 'r1', status: 'stopped', reason: 'approval-expired' });
  });
});

test('an edited script that is no Python is not the script: what was verified waits again', async () => {
  const run = await play(approval('final'), { ...world, execute: [ok(), ok('script1'), { ...bad('script2'), unparsed: 'line 3' }] }, [{ kind: 'edit', code: { text: 'no python' } }, { kind: 'approve' }]);
  expect(run.verdict).toEqual({ request: 'r1', status: 'verified', script: 'script1' });
  expect(run.proposals.map(({ code, problem }) => [code, problem])).toEqual([['script1', undefined], ['script1', 'The edit is no Python, so nothing of it ran: line 3']]);
  expect(run.kinds.filter((kind) => kind === 'review')).toHaveLength(1);
});

describe('a decision', () => {
  const waiting = (what: 'plan' | 'cell' | 'script', questions = 0) => ({ ...newSession('s1', request()), proposal: { id: 'h:1', what, code: 'x', ...(questions ? { questions } : {}) } });
  test.each<[string, ReturnType<typeof waiting>, Decision, RegExp | undefined]>([
    ['an answer to a question', waiting('plan', 2), { kind: 'approve', answers: { q2: 'both' } }, undefined],
    ['an answer to a question that was not asked', waiting('plan', 2), { kind: 'approve', answers: { q3: 'both' } }, /^There is no question "q3": the plan asks q1, q2\.$/],
    ['answers for a script', waiting('script'), { kind: 'approve', answers: { q1: 'x' } }, /^Only the questions of a plan have answers, and a script waits/],
    ['a plan as JSON', waiting('plan'), { kind: 'edit', code: { text: '{"steps": ["a"]}' } }, undefined],
    ['a plan that is no JSON', waiting('plan'), { kind: 'edit', code: { text: 'steps: a' } }, /^The plan is no JSON/],
    ['a plan with a check that is none', waiting('plan'), { kind: 'edit', code: { text: '{"steps": ["a"], "checks": ["True"]}' } }, /The check 1 was left out/],
    ['a plan by hash', waiting('plan'), { kind: 'edit', code: { hash: 'a'.repeat(64) } }, /can't be taken by hash/],
    ['code by hash', waiting('cell'), { kind: 'edit', code: { hash: 'a'.repeat(64) } }, undefined],
    ['answers of another shape', waiting('plan', 1), { kind: 'approve', answers: [] as never }, /^The answers are no object/],
  ])('with %s is taken or refused with a sentence', (_what, state, decision, why) => {
    const said = decisionProblem(state, 'h:1', decision);
    if (why) expect(said).toMatch(why);
    else expect(said).toBeUndefined();
  });
});

test('tools that are no list of names are refused', () => {
  const wrong = /^The tools of the request are no list of names/;
  for (const tools of ['append', [3], [null], ['send mail'], ['list'], {}]) expect(requestProblem(request({ tools } as never))).toMatch(wrong);
  for (const tools of [undefined, [], ['append', 'send_2']]) expect(requestProblem(request({ tools }))).toBeUndefined();
});

test('a request for approval of a plan that its strategy does not make is refused', () => {
  expect(requestProblem(request({ strategy: 'react', ...approval('plan') }))).toMatch(/^The approval policy "plan" does not fit strategy react/);
  expect(requestProblem(request({ strategy: 'chained', ...approval('plan') }))).toBeUndefined();
  expect(requestProblem(request(approval('every-cell')))).toBeUndefined();
});
