import { describe, expect, test } from 'vitest';
import { STRATEGIES, type Request, type StrategyName } from '../../src/session/request.js';
import type { StepIO } from '../../src/session/step.js';
import { Halt } from '../../src/strategies/strategy.js';
import { bad, ok, play, type Script } from './scripted-ports.js';

const submitted: Record<StrategyName, StepIO['code']['value']> = {
  codeact: { calls: [{ id: 'c1', tool: 'submit', path: 'a.py' }] },
  'single-shot': { calls: [{ id: 'c1', tool: 'submit', code: 'script1' }] },
};
/** What each strategy does before and around its one submitted script. */
const before: Record<StrategyName, Script> = {
  codeact: { plan: [{ items: 2 }] },
  'single-shot': {},
};
const reviews = (name: StrategyName, ...accepts: boolean[]): Script => (name === 'codeact' ? { review: accepts.map((accept) => ({ accept })) } : {});
const withRepairs = (maxRepairs: number): Pick<Request, 'limits'> => ({ limits: { cellTimeoutMs: 1, scriptTimeoutMs: 1, memoryBytes: 1, diskBytes: 1, stepsPerRun: 75, maxRepairs } });
const approving: Pick<Request, 'approval'> = { approval: { policy: 'final', expiryMs: 1000 } };

describe.each(STRATEGIES)('strategy %s', (strategy) => {
  test('a script that verifies ends verified, and nothing scripted is left over', async () => {
    const run = await play({ strategy }, { ...before[strategy], code: [submitted[strategy]], execute: [ok(), ok('script1')], ...reviews(strategy, true) });
    expect(run.verdict).toEqual({ request: 'r1', status: 'verified', script: 'script1' });
    expect(run.unused).toEqual([]);
    expect(run.kinds[0]).toBe('open');
    expect(run.kinds.at(-1)).toBe('close');
  });

  test('a script that fails without repairs left ends unverified with the reason', async () => {
    const run = await play(
      { strategy, ...withRepairs(0) },
      { ...before[strategy], code: [submitted[strategy]], execute: [ok(), bad('script1')], ...reviews(strategy, false), retry: [{ next: 'give-up', reason: 'it crashed' }] },
    );
    expect(run.verdict).toEqual({ request: 'r1', status: 'unverified', reason: 'it crashed', script: 'script1' });
  });

  test('a repair hands back to the model and counts down', async () => {
    const run = await play(
      { strategy, ...withRepairs(1) },
      {
        ...before[strategy],
        code: [submitted[strategy], submitted[strategy]],
        execute: [ok(), bad('script1'), bad('script2')],
        ...reviews(strategy, false, false),
        retry: [
          { next: 'repair', reason: 'x' },
          { next: 'give-up', reason: 'y' },
        ],
      },
    );
    expect(run.verdict.status).toBe('unverified');
    expect(run.calls.filter((call) => call.kind === 'retry').map((call) => call.args)).toEqual([{ left: 1 }, { left: 0 }]);
  });

  test('an edit is verified again, told to the next step, and not shown again', async () => {
    const run = await play(
      { strategy, ...approving },
      { ...before[strategy], code: [submitted[strategy]], execute: [ok(), ok('script1'), ok('script2')], ...reviews(strategy, true, true) },
      [{ kind: 'edit', code: { text: 'new' } }],
    );
    expect(run.verdict).toEqual({ request: 'r1', status: 'verified', script: 'script2' });
    expect(run.proposals).toEqual([{ id: expect.stringMatching(/^h\d+:c1$/) as string, what: 'script', code: 'script1' }]);
    const again = run.calls.filter((call) => call.kind === 'execute').at(-1)!;
    expect(again.args).toEqual({ target: 'script', call: 'c1', code: { text: 'new' } });
    expect(again.facts).toContainEqual({ kind: 'decision', proposal: run.proposals[0]!.id, actor: 'tester', decision: { kind: 'edit', code: { text: 'new' } } });
  });

  test('a rejection without a reason ends rejected', async () => {
    const run = await play({ strategy, ...approving }, { ...before[strategy], code: [submitted[strategy]], execute: [ok(), ok('script1')], ...reviews(strategy, true) }, [{ kind: 'reject' }]);
    expect(run.verdict.status).toBe('rejected');
  });

  test('a rejection with a reason asks for a repair while one is left', async () => {
    const run = await play(
      { strategy, ...approving, ...withRepairs(1) },
      { ...before[strategy], code: [submitted[strategy], submitted[strategy]], execute: [ok(), ok('script1'), ok('script2')], ...reviews(strategy, true, true) },
      [{ kind: 'reject', reason: 'use the median' }, { kind: 'approve' }],
    );
    expect(run.verdict).toMatchObject({ status: 'verified', script: 'script2' });
    expect(run.unused).toEqual([]);
  });

  test('a proposal that expires ends stopped', async () => {
    const run = await play({ strategy, ...approving }, { ...before[strategy], code: [submitted[strategy]], execute: [ok(), ok('script1')], ...reviews(strategy, true) }, [{ kind: 'expired' }]);
    expect(run.verdict).toMatchObject({ status: 'stopped', reason: 'approval-expired' });
  });

  test('a halt in any step still closes the request', async () => {
    const run = await play({ strategy }, { ...before[strategy], execute: [ok()], code: [new Halt({ status: 'failed', reason: 'endpoint gone' })] as never });
    expect(run.verdict).toEqual({ request: 'r1', status: 'failed', reason: 'endpoint gone' });
    expect(run.kinds.at(-1)).toBe('close');
  });

  test('maxSteps bounds the steps, and the end says so', async () => {
    const run = await play({ strategy, budget: { maxSteps: 1, maxCostUsd: null } }, { execute: [ok()] });
    expect(run.verdict).toEqual({ request: 'r1', status: 'stopped', reason: 'budget: all 1 steps are used' });
  });

  test('a request that the chain has answered is answered again without a step', async () => {
    const verdict = { request: 'r1', status: 'verified' as const };
    const run = await play({ strategy }, { open: [{ seq: 4, verdicts: [verdict] }], close: [] });
    expect(run.verdict).toEqual(verdict);
    expect(run.kinds).toEqual(['open']);
  });

  test('what another attempt would send is decided by the state alone', async () => {
    const script = () => ({ ...before[strategy], code: [submitted[strategy]], execute: [ok(), ok('script1')], ...reviews(strategy, true) });
    const [one, two] = [await play({ strategy }, script()), await play({ strategy }, script())];
    expect(one.calls).toEqual(two.calls);
  });
});

describe('codeact', () => {
  test('a reply without a call is told to the model; two in a row stop', async () => {
    const run = await play({}, { plan: [{ items: 1 }], execute: [ok()], code: [{ calls: [] }, { calls: [] }] });
    expect(run.verdict).toMatchObject({ status: 'stopped', reason: 'two replies in a row held no tool call' });
    expect(run.calls.filter((call) => call.kind === 'code')[1]!.facts).toContainEqual({ kind: 'no-call' });
  });

  test('every call of a reply is answered: after a failed cell the rest is noted as not run', async () => {
    const calls = [
      { id: 'a', tool: 'run_cell', code: 'x' },
      { id: 'b', tool: 'run_cell', code: 'y' },
      { id: 'c', tool: 'nope', problem: 'There is no tool "nope".' },
    ];
    const run = await play({}, { plan: [{ items: 1 }], execute: [ok(), bad(), ok('s')], code: [{ calls }, submitted.codeact], review: [{ accept: true }] });
    const facts = run.calls.filter((call) => call.kind === 'code')[1]!.facts;
    expect(facts.filter((fact) => fact.kind === 'not-run').map((fact) => fact.call)).toEqual(['b', 'c']);
  });

  test('a review that does not accept a verified script asks for a repair', async () => {
    const run = await play(
      {},
      { plan: [{ items: 1 }], execute: [ok(), ok('s1'), ok('s2')], code: [submitted.codeact, submitted.codeact], review: [{ accept: false }, { accept: true }], retry: [{ next: 'repair', reason: 'wrong segment' }] },
    );
    expect(run.verdict).toMatchObject({ status: 'verified', script: 's2' });
  });
});

test('single-shot makes exactly one model call', async () => {
  const run = await play({ strategy: 'single-shot' }, { code: [submitted['single-shot']], execute: [ok(), ok('script1')] });
  expect(run.kinds.filter((kind) => ['plan', 'code', 'review'].includes(kind))).toEqual(['code']);
});
