import { describe, expect, test } from 'vitest';
import { STRATEGIES, type Request, type StrategyName } from '../../src/session/request.js';
import type { StepIO } from '../../src/session/step.js';
import { Halt } from '../../src/strategies/strategy.js';
import { bad, ok, play, type Script } from './scripted-ports.js';

type Seen = StepIO['execute']['value'];
const byPath = { calls: [{ id: 'c1', tool: 'submit', path: 'a.py' }] };
const byCode = { calls: [{ id: 'c1', tool: 'submit', code: 'script1' }] };
const cell = { calls: [{ id: 'reply', tool: 'run_cell', code: 'x' }] };
const accepts = (verified: Seen[]) => verified.map(({ ok }) => ({ accept: ok }));

/** What the world answers each strategy on its way to `submits` submitted scripts, whose verifications (an edit has one too) are `verified`. */
const worlds: Record<StrategyName, (submits: number, verified: Seen[]) => Script> = {
  codeact: (submits, verified) => ({ plan: [{ items: 2 }], code: Array<typeof byPath>(submits).fill(byPath), execute: [ok(), ...verified], review: accepts(verified) }),
  'single-shot': (submits, verified) => ({ code: Array<typeof byCode>(submits).fill(byCode), execute: [ok(), ...verified] }),
  chained: (submits, verified) => ({
    plan: [{ items: 2 }],
    code: [cell, cell, ...Array<typeof byCode>(submits).fill(byCode)],
    execute: [ok(), ok(), ok(), ...verified],
    review: [{ accept: true }],
  }),
  // The first script always fails, so that the laws meet the part that goes on from there.
  auto: (submits, verified) => ({
    plan: [{ items: 2 }],
    code: [byCode, ...Array<typeof byPath>(submits).fill(byPath)],
    execute: [ok(), bad('script0'), ...verified],
    review: accepts(verified),
    retry: [{ next: 'escalate', reason: 'wrong column' }],
  }),
  react: (submits, verified) => ({ code: Array<typeof byPath>(submits).fill(byPath), execute: [ok(), ...verified], review: accepts(verified) }),
};
/** The step in which a strategy first asks for code, and what must be answered before. */
const until = (strategy: StrategyName): Script => ({ ...worlds[strategy](0, []), code: [] });
const withRepairs = (maxRepairs: number): Pick<Request, 'limits'> => ({ limits: { cellTimeoutMs: 1, scriptTimeoutMs: 1, memoryBytes: 1, diskBytes: 1, stepsPerRun: 75, maxRepairs } });
/** They hand in the script's text, and run nothing after it. */
const byCodeOnly: ReadonlySet<StrategyName> = new Set<StrategyName>(['single-shot', 'chained']);
const approving: Pick<Request, 'approval'> = { approval: { policy: 'final', expiryMs: 1000 } };

describe.each(STRATEGIES)('strategy %s', (strategy) => {
  const world = worlds[strategy];

  test('a script that verifies ends verified, and nothing scripted is left over', async () => {
    const run = await play({ strategy }, world(1, [ok('script1')]));
    expect(run.verdict).toEqual({ request: 'r1', status: 'verified', script: 'script1' });
    expect(run.unused).toEqual([]);
    expect(run.kinds[0]).toBe('open');
    expect(run.kinds.at(-1)).toBe('close');
  });

  test('a script that fails without repairs left ends unverified with the reason', async () => {
    const run = await play({ strategy, ...withRepairs(0) }, { ...world(1, [bad('script1')]), retry: [...(world(1, []).retry ?? []), { next: 'give-up', reason: 'it crashed' }] });
    expect(run.verdict).toEqual({ request: 'r1', status: 'unverified', reason: 'it crashed', script: 'script1' });
  });

  test('a repair hands back to the model and counts down', async () => {
    const retry: Script['retry'] = [
      ...(world(2, []).retry ?? []),
      { next: 'repair', reason: 'x' },
      { next: 'give-up', reason: 'y' },
    ];
    const run = await play({ strategy, ...withRepairs(1) }, { ...world(2, [bad('script1'), bad('script2')]), retry });
    expect(run.verdict.status).toBe('unverified');
    expect(run.calls.filter((call) => call.kind === 'retry').map((call) => call.args).slice(-2)).toEqual([{ left: 1 }, { left: 0 }]);
    expect(run.unused).toEqual([]);
  });

  test('an edit is verified again, told to the next step, and not shown again', async () => {
    const run = await play({ strategy, ...approving }, world(1, [ok('script1'), ok('script2')]), [{ kind: 'edit', code: { text: 'new' } }]);
    expect(run.verdict).toEqual({ request: 'r1', status: 'verified', script: 'script2' });
    expect(run.proposals).toEqual([{ id: expect.stringMatching(/^h\d+:c1$/) as string, what: 'script', code: 'script1' }]);
    const again = run.calls.filter((call) => call.kind === 'execute').at(-1)!;
    expect(again.args).toEqual({ target: 'script', call: 'c1', code: { text: 'new' } });
    expect(again.facts).toContainEqual({ kind: 'decision', proposal: run.proposals[0]!.id, actor: 'tester', decision: { kind: 'edit', code: { text: 'new' } } });
  });

  test('a rejection without a reason ends rejected', async () => {
    const run = await play({ strategy, ...approving }, world(1, [ok('script1')]), [{ kind: 'reject' }]);
    expect(run.verdict.status).toBe('rejected');
  });

  test('a rejection with a reason asks for a repair while one is left', async () => {
    const run = await play({ strategy, ...approving, ...withRepairs(1) }, world(2, [ok('script1'), ok('script2')]), [{ kind: 'reject', reason: 'use the median' }, { kind: 'approve' }]);
    expect(run.verdict).toMatchObject({ status: 'verified', script: 'script2' });
    expect(run.unused).toEqual([]);
  });

  test('a proposal that expires ends stopped', async () => {
    const run = await play({ strategy, ...approving }, world(1, [ok('script1')]), [{ kind: 'expired' }]);
    expect(run.verdict).toMatchObject({ status: 'stopped', reason: 'approval-expired' });
  });

  test('a halt in any step still closes the request', async () => {
    const script = world(1, [ok('script1')]);
    const steps = (Object.keys(script) as (keyof Script)[]).flatMap((kind) => script[kind]!.map((_, i) => ({ kind, i })));
    for (const { kind, i } of steps) {
      const halting = { ...script, [kind]: script[kind]!.map((value, j) => (j === i ? new Halt({ status: 'failed', reason: 'endpoint gone' }) : value)) } as Script;
      const run = await play({ strategy }, halting);
      expect(run.verdict).toEqual({ request: 'r1', status: 'failed', reason: 'endpoint gone' });
      expect(run.kinds.at(-1)).toBe('close');
    }
  });

  test('maxSteps bounds the steps, and the end says so', async () => {
    const run = await play({ strategy, budget: { maxSteps: 1, maxCostUsd: null, maxTokens: null, deadline: null } }, { execute: [ok()] });
    expect(run.verdict).toEqual({ request: 'r1', status: 'stopped', reason: 'budget: all 1 steps are used' });
  });

  test('every call of a reply has its answer: a cell, a verification, or a note that it was not run', async () => {
    const calls = [
      { id: 'a', tool: 'nope', problem: 'There is no tool "nope".' },
      { id: 'b', tool: 'submit', ...(byCodeOnly.has(strategy) ? { code: 'script1' } : { path: 'a.py' }) },
      { id: 'c', tool: 'run_cell', code: 'x' },
    ];
    const script = world(1, [ok('script1')]);
    const run = await play({ strategy }, { ...script, code: [...script.code!.slice(0, -1), { calls }] });
    expect(run.verdict.status).toBe('verified');
    const noted = run.calls.flatMap((call) => call.facts).filter((fact) => fact.kind === 'not-run').map((fact) => fact.call);
    // What a strategy of one script leaves open is closed where the conversation is rendered.
    expect(noted).toEqual({ 'single-shot': [], chained: ['a'] }[strategy as string] ?? ['a', 'c']);
  });

  test('without an explicit submit nothing is verified: silence is told once, and twice ends the request', async () => {
    const script = until(strategy);
    const nothing = { calls: [] };
    const run = await play({ strategy }, { ...script, code: [...(strategy === 'auto' ? [byCode] : []), nothing, nothing] });
    expect(run.kinds.filter((kind) => kind === 'script')).toHaveLength(strategy === 'auto' ? 1 : 0);
    if (strategy === 'single-shot') return expect(run.verdict).toMatchObject({ status: 'failed', reason: 'the reply held no script' });
    expect(run.verdict).toMatchObject({ status: 'stopped', reason: expect.stringMatching(/^two replies in a row held no /) as string });
    expect(run.calls.findLast((call) => call.kind === 'code')!.facts).toContainEqual({ kind: 'no-call' });
  });

  test('one silent reply is forgotten by the next that is not', async () => {
    if (strategy === 'single-shot') return;
    const script = world(1, [ok('script1')]);
    const nothing = { calls: [] };
    const run = await play({ strategy }, { ...script, code: script.code!.flatMap((reply, i) => (strategy === 'auto' && i === 0 ? [reply] : [nothing, reply])) });
    expect(run.verdict.status).toBe('verified');
  });

  test('a request that the chain has answered is answered again without a step', async () => {
    const verdict = { request: 'r1', status: 'verified' as const };
    const run = await play({ strategy }, { open: [{ seq: 4, verdicts: [verdict] }], close: [] });
    expect(run.verdict).toEqual(verdict);
    expect(run.kinds).toEqual(['open']);
  });

  test('what another attempt would send is decided by the state alone', async () => {
    const [one, two] = [await play({ strategy }, world(1, [ok('script1')])), await play({ strategy }, world(1, [ok('script1')]))];
    expect(one.calls).toEqual(two.calls);
  });

  test('the state is plain JSON, told in a fact of every turn', async () => {
    const run = await play({ strategy }, world(1, [ok('script1')]));
    const states = run.calls.flatMap((call) => call.facts).filter((fact) => fact.kind === 'turn');
    expect(states.map(({ n }) => n)).toEqual(states.map((_, i) => i));
    for (const { state } of states) expect(JSON.parse(JSON.stringify(state))).toEqual(state);
  });
});

describe.each([
  ['codeact', { plan: [{ items: 1 }] }],
  ['react', {}],
] as [StrategyName, Script][])('%s', (strategy, before) => {
  test('after a failed call the rest of the reply is noted as not run', async () => {
    const calls = [
      { id: 'a', tool: 'run_cell', code: 'x' },
      { id: 'b', tool: 'run_cell', code: 'y' },
      { id: 'c', tool: 'nope', problem: 'There is no tool "nope".' },
    ];
    const run = await play({ strategy }, { ...before, execute: [ok(), bad(), ok('s')], code: [{ calls }, byPath], review: [{ accept: true }] });
    const facts = run.calls.filter((call) => call.kind === 'code')[1]!.facts;
    expect(facts.filter((fact) => fact.kind === 'not-run').map((fact) => fact.call)).toEqual(['b', 'c']);
  });

  test('a review that does not accept a verified script asks for a repair', async () => {
    const run = await play(
      { strategy },
      { ...before, execute: [ok(), ok('s1'), ok('s2')], code: [byPath, byPath], review: [{ accept: false }, { accept: true }], retry: [{ next: 'repair', reason: 'wrong segment' }] },
    );
    expect(run.verdict).toMatchObject({ status: 'verified', script: 's2' });
  });
});

test('single-shot makes exactly one model call', async () => {
  const run = await play({ strategy: 'single-shot' }, worlds['single-shot'](1, [ok('script1')]));
  expect(run.kinds.filter((kind) => ['plan', 'code', 'review'].includes(kind))).toEqual(['code']);
});

describe('chained', () => {
  const asked = (run: Awaited<ReturnType<typeof play>>) => run.calls.filter((call) => call.ask).map((call) => [call.ask, call.args]);
  const script = [
    ['chained-review', null],
    ['chained-script', null],
  ];

  test('asks for each step of its plan, reviews them, and asks for the script', async () => {
    const run = await play({ strategy: 'chained' }, worlds.chained(1, [ok('script1')]));
    expect(asked(run)).toEqual([['chained-plan', null], ['chained-step', { item: 0 }], ['chained-step', { item: 1 }], ...script]);
  });

  test('tries a step that failed once more, and goes on when it fails again', async () => {
    const run = await play(
      { strategy: 'chained' },
      { plan: [{ items: 2 }], code: [cell, cell, cell, cell, byCode], execute: [ok(), bad(), bad(), bad(), ok(), ok('script1')], review: [{ accept: false }] },
    );
    const steps = [0, 0, 1, 1].map((item) => ['chained-step', { item }]);
    expect(asked(run)).toEqual([['chained-plan', null], ...steps, ...script]);
    expect(run.verdict.status).toBe('verified');
  });

  test('asks again for a plan that is none, once', async () => {
    const again = await play({ strategy: 'chained' }, { ...worlds.chained(1, [ok('script1')]), plan: [{ items: 0 }, { items: 2 }] });
    expect(again.verdict.status).toBe('verified');
    const stopped = await play({ strategy: 'chained' }, { plan: [{ items: 0 }, { items: 0 }], execute: [ok()] });
    expect(stopped.verdict).toMatchObject({ status: 'stopped', reason: 'two replies in a row held no plan' });
  });
});

describe('auto', () => {
  const first = { code: [byCode], execute: [ok(), ok('script1')] };

  test('ends with the first script when it verifies: one model call', async () => {
    const run = await play({ strategy: 'auto' }, first);
    expect(run.verdict).toEqual({ request: 'r1', status: 'verified', script: 'script1' });
    expect(run.kinds).toEqual(['open', 'inspect', 'code', 'script', 'close']);
  });

  test('goes on in a live session when the first script fails, without another look at the inputs', async () => {
    const run = await play({ strategy: 'auto' }, worlds.auto(1, [ok('script1')]));
    expect(run.kinds).toEqual(['open', 'inspect', 'code', 'script', 'retry', 'plan', 'code', 'script', 'review', 'close']);
    expect(run.calls.find((call) => call.kind === 'retry')!.args).toEqual({ left: 0, escalate: true });
  });

  test('goes on when the first reply holds no script, and when a person rejects it with a reason', async () => {
    const session: Script = { ...worlds.auto(1, []), retry: [] };
    const silent = await play({ strategy: 'auto' }, { ...session, code: [{ calls: [{ id: 'reply', tool: 'submit', problem: 'none' }] }, byPath], execute: [ok(), ok('s')], review: [{ accept: true }] });
    expect(silent.verdict).toMatchObject({ status: 'verified', script: 's' });
    const rejected = await play({ strategy: 'auto', ...approving }, { ...session, execute: [ok(), ok('s1'), ok('s2')], review: [{ accept: true }] }, [{ kind: 'reject', reason: 'use the median' }, { kind: 'approve' }]);
    expect(rejected.verdict).toMatchObject({ status: 'verified', script: 's2' });
  });

  test('gives up where no strategy can help', async () => {
    const run = await play({ strategy: 'auto' }, { ...first, execute: [ok(), bad('script1')], retry: [{ next: 'give-up', reason: 'a check is broken' }] });
    expect(run.verdict).toEqual({ request: 'r1', status: 'unverified', reason: 'a check is broken', script: 'script1' });
  });
});
