import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, expect, test as sequential } from 'vitest';
import { alive, Processes } from '../rig/processes.js';

const PROMPT = 'Write the numbers, slowly.';
const EFFECTS = ['one', 'two', 'three', 'three ends', 'four'];

let undisturbed: { decided: string[]; script: string | null };

/** Each test has its own server, model, workers and folder; most of its time it waits, so several run side by side. */
const test = sequential.concurrent;

/** Runs `body` over fresh processes, and ends them whatever happens. */
async function over(processes: Processes, workers: number, body: (rig: Processes) => Promise<void>): Promise<void> {
  try {
    await body(await processes.start(workers));
  } finally {
    await processes.stop();
  }
}

/** Every undisturbed model call of the playbook, counted apart from resends. */
const TURNS = 8;

beforeAll(async () => {
  const calm = await new Processes().start(1);
  try {
    const { session } = await calm.client.start({ prompt: PROMPT });
    const { result } = await calm.end(session);
    expect(result).toMatchObject({ status: 'verified' });
    expect(calm.effects(session)).toEqual(EFFECTS);
    expect(calm.attempts(session)).toBe(1);
    undisturbed = { decided: calm.decided(session), script: result!.script };
  } finally {
    await calm.stop();
  }
});

/** What every killed session must share with the undisturbed one. */
async function same(rig: Processes, session: string): Promise<void> {
  const { result } = await rig.end(session);
  expect(result).toMatchObject({ status: 'verified' });
  expect(rig.effects(session)).toEqual(EFFECTS);
  expect(rig.decided(session)).toEqual(undisturbed.decided);
  expect(result!.script).toBe(undisturbed.script);
  const [conversation] = (await rig.report()).conversations;
  expect(conversation).toMatchObject({ ok: true, requests: TURNS });
  // A reply that was stored is never asked for again; every other repeat was paid for and is counted.
  expect(conversation!.resends).toBeLessThanOrEqual(await rig.lostCalls(session));
}

/** Time from a kill to the next finished step, for people. */
async function recovery(rig: Processes, what: string, session: string, killedAt: number): Promise<void> {
  const next = await rig.event(session, (event) => event.kind === 'step-finished' && event.at > killedAt);
  console.log(`${what}: next step finished ${((next.at - killedAt) / 1000).toFixed(1)} s after the kill`);
}

test('a worker killed during a model call: another finishes, and the lost call is counted', () =>
  over(new Processes(), 2, async (rig) => {
    const { session } = await rig.client.start({ prompt: PROMPT });
    for (;;) {
      const [conversation] = (await rig.report()).conversations;
      if (conversation?.turns['slow reply']) break;
      await delay(10);
    }
    const asking = rig.store.at(session).readEvents().events.at(-1)!;
    expect(asking).toMatchObject({ kind: 'step-started', step: 'code' });
    const killed = await rig.kill(rig.workerOf(asking));
    await recovery(rig, 'worker killed in a model call', session, Date.now());
    await same(rig, session);
    const again = await rig.event(session, (event) => event.seq === asking.seq && event.kind === 'step-started' && event.attempt >= 2);
    expect(rig.workerOf(again).pid).not.toBe(killed);
    expect(await rig.lostCalls(session)).toBe(1);
    expect((await rig.report()).conversations[0]!.resends).toBe(1);
  }));

test('a worker killed in the middle of a cell: another attaches to the running cell, whose effects happen once', () =>
  over(new Processes(), 2, async (rig) => {
    const { session } = await rig.client.start({ prompt: PROMPT });
    const cell = await rig.event(session, (event) => event.kind === 'cell-output' && JSON.stringify(event.data).includes('begun'));
    const began = await rig.event(session, (event) => event.seq === cell.seq && event.kind === 'step-started');
    const killed = await rig.kill(rig.workerOf(began));
    await recovery(rig, 'worker killed in a cell', session, Date.now());
    await same(rig, session);
    const again = await rig.event(session, (event) => event.seq === cell.seq && event.kind === 'step-started' && event.attempt >= 2);
    expect(rig.workerOf(again).pid).not.toBe(killed);
    expect(await rig.lostCalls(session)).toBe(0);
  }));

test('a worker that is stopped politely in the middle of a cell hands it over: the cell is not interrupted', () =>
  over(new Processes(), 2, async (rig) => {
    const { session } = await rig.client.start({ prompt: PROMPT });
    const cell = await rig.event(session, (event) => event.kind === 'cell-output' && JSON.stringify(event.data).includes('begun'));
    const began = await rig.event(session, (event) => event.seq === cell.seq && event.kind === 'step-started');
    rig.workerOf(began).kill('SIGTERM');
    await same(rig, session);
    const again = await rig.event(session, (event) => event.seq === cell.seq && event.kind === 'step-started' && event.attempt >= 2);
    expect(rig.workerOf(again).pid).not.toBe(rig.workerOf(began).pid);
  }));

test.each([
  ['code', 5],
  ['execute', 6],
  ['execute', 12],
] as const)('a worker killed between steps: the lost completion of %s %i is answered from the memo', (kind, seq) =>
  over(new Processes(), 0, async (rig) => {
    const first = await rig.startWorker({ kind, seq });
    await rig.startWorker({ kind, seq });
    const { session } = await rig.client.start({ prompt: PROMPT });
    await same(rig, session);
    const dead = rig.workers.filter((worker) => worker.signalCode === 'SIGKILL');
    expect(dead).toHaveLength(1);
    expect(first.pid).toBeDefined();
    expect(await rig.serverAttempts(session)).toBeGreaterThanOrEqual(2);
    expect((await rig.report()).conversations[0]!.resends).toBe(0);
  }));

test('two attempts that race for one cell leave one record and one effect', () =>
  over(new Processes(), 0, async (rig) => {
    await rig.startWorker(undefined, 'workflows');
    const sleeper = await rig.startWorker(undefined, 'activities');
    const { session } = await rig.client.start({ prompt: PROMPT });
    const cell = await rig.event(session, (event) => event.kind === 'cell-output' && JSON.stringify(event.data).includes('begun'));
    // Frozen, not dead: it wakes up in the middle of what it was doing, after the server has given its step to another.
    sleeper.kill('SIGSTOP');
    const other = await rig.startWorker(undefined, 'activities');
    const again = await rig.event(session, (event) => event.seq === cell.seq && event.attempt >= 2 && event.kind === 'step-started');
    sleeper.kill('SIGCONT');
    await same(rig, session);
    expect(rig.workerOf(again).pid).toBe(other.pid);
  }));

test('the Temporal server killed in mid-session and started again: the session finishes', () =>
  over(new Processes(), 2, async (rig) => {
    const { session } = await rig.client.start({ prompt: PROMPT });
    await rig.event(session, (event) => event.kind === 'cell-output' && JSON.stringify(event.data).includes('begun'));
    const before = rig.server.process.current!.pid;
    process.kill(before, 'SIGKILL');
    await recovery(rig, 'server killed', session, Date.now());
    await same(rig, session);
    expect(rig.server.process.current!.pid).not.toBe(before);
  }));

test('a session that waits for a person survives the death of everything', () =>
  over(new Processes(), 1, async (rig) => {
    const { session } = await rig.client.start({ prompt: 'Write the quick numbers.', approval: 'final' });
    let proposal: string | undefined;
    while (!proposal) {
      proposal = (await rig.client.snapshot(session))?.proposal?.id;
      await delay(20);
    }
    const { supervisor, child } = rig.sandboxPids(session);
    const server = rig.server.process.current!.pid;
    await rig.kill(rig.workers[0]!);
    for (const pid of [child, supervisor, server]) if (alive(pid)) process.kill(pid, 'SIGKILL');
    await rig.startWorker();
    expect(rig.server.process.current!.pid).not.toBe(server);
    while ((await rig.client.snapshot(session))?.proposal?.id !== proposal) await delay(50);
    await rig.client.decide(session, { proposal, actor: 'a', decision: { kind: 'approve' } });
    expect((await rig.end(session)).result).toMatchObject({ status: 'verified' });
  }));

test('a kernel killed in a cell: the cell runs again from the state before it, its effects are there once, and the model is told nothing', () =>
  over(new Processes(), 1, async (rig) => {
    const { session } = await rig.client.start({ prompt: 'Please lose the kernel.' });
    await rig.event(session, (event) => event.kind === 'cell-output' && JSON.stringify(event.data).includes('begun'));
    const { kernel, child } = rig.sandboxPids(session);
    process.kill(kernel!, 'SIGKILL');
    await rig.event(session, (event) => event.kind === 'cell-again');
    const { result } = await rig.end(session);
    expect(result).toMatchObject({ status: 'verified', reason: null });
    expect(rig.effects(session)).toEqual(['victim']);
    expect((await rig.report()).conversations[0]).toMatchObject({ ok: true });
    expect(rig.sandboxPids(session).child).toBe(child);
    expect(rig.sandboxPids(session).kernel).not.toBe(kernel);
  }));

test('when the lease is over and no worker is left, no process of the sandbox is', () =>
  over(new Processes({ leaseMs: 4000 }), 1, async (rig) => {
    const { session } = await rig.client.start({ prompt: PROMPT });
    await rig.event(session, (event) => event.kind === 'cell-output' && JSON.stringify(event.data).includes('begun'));
    const { supervisor, child, kernel } = rig.sandboxPids(session);
    expect([supervisor, child, kernel!].every(alive)).toBe(true);
    await rig.kill(rig.workers[0]!);
    const deadline = Date.now() + 20_000;
    while ([supervisor, child, kernel!].some(alive) && Date.now() < deadline) await delay(50);
    expect([supervisor, child, kernel!].filter(alive)).toEqual([]);
  }));
