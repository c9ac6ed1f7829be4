import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createExecute } from '../../src/activities/execute.js';
import type { StepWorld } from '../../src/activities/world.js';
import { createKernels } from '../../src/kernel/kernels.js';
import type { Checkpoints } from '../../src/sandbox/checkpoints.js';
import { conversation } from '../../src/prompts/conversation.js';
import type { Hash, Json } from '../../src/session/json.js';
import type { CellObservation } from '../../src/session/observation.js';
import type { RestoreReport } from '../../src/session/restore-report.js';
import type { Exposure } from '../../src/session/exposure.js';
import type { StepCall } from '../../src/session/step.js';
import { sha256 } from '../../src/store/blobs.js';
import { SessionStore, type SessionFolder } from '../../src/store/session-store.js';
import { ScriptedGuest } from '../kernel/scripted-guest.js';
import { decided } from '../rig/decided.js';
import { record } from '../store/record.js';
import { request } from '../strategies/scripted-ports.js';

const REPORT: RestoreReport = { head: 1, variables: 3, recomputed: ['rows'], unproved: [], lost: [], notes: [], ms: 7 };

/** A session whose cells are run by the real step over a kernel that keeps the rules and runs no Python: a cell prints its code. */
class Scene {
  readonly dir = mkdtempSync(join(tmpdir(), 'nl2code-execute-'));
  readonly folder: SessionFolder;
  readonly guest = new ScriptedGuest();
  head: Hash | null = null;
  private seq = 0;
  readonly world: StepWorld;
  private readonly execute;

  constructor() {
    const store = new SessionStore(this.dir);
    this.folder = store.session('s');
    this.guest.reply = ({ code }) => ({ stdout: { text: `${code}\n`, omitted: 0 } });
    this.world = { store, kernels: createKernels({ backend: this.guest }), leaseMs: 1000 } as unknown as StepWorld;
    this.execute = createExecute(this.world);
  }

  add(over: Parameters<typeof record>[0]): void {
    this.head = this.folder.chain.commit(`k${this.seq}`, record({ ...over, parent: this.head, seq: this.seq }), this.seq).hash;
    this.seq += 1;
  }

  open(exposure: Exposure = 'full', cellTimeoutMs = 1000): void {
    this.add({ kind: 'open', args: { request: request({ exposure, limits: { ...request().limits, cellTimeoutMs } }) } as unknown as Json });
  }

  /** Runs the next cell as the step does. */
  async cell(code: string, over: Partial<StepCall<'execute'>> = {}, info: ConstructorParameters<typeof MockActivityEnvironment>[0] = {}): Promise<CellObservation> {
    const hash = this.folder.blobs.put(code);
    const call: StepCall<'execute'> = { session: 's', parent: this.head, seq: this.seq, kind: 'execute', args: { target: 'cell', call: 'c', code: { hash } }, facts: [], ...over };
    const reply = (await new MockActivityEnvironment(info).run(() => this.execute(call))) as { head: Hash };
    this.head = reply.head;
    this.seq += 1;
    return this.last;
  }

  get last(): CellObservation {
    return JSON.parse(this.folder.blobs.text(this.folder.chain.record(this.head!).refs.observation!)) as CellObservation;
  }

  get decided(): string[] {
    return decided(this.folder.chain.walk(this.head));
  }

  /** What a model is sent next. */
  get prompt(): string {
    const records = this.folder.chain.walk(this.head).map((link) => link.record);
    return JSON.stringify(conversation(records, 'codeact', [], (ref) => this.folder.blobs.text(ref)));
  }

  events(kind: string): unknown[] {
    return this.folder.readEvents().events.filter((event) => event.kind === kind).map(({ data }) => data);
  }

  /** Loses what was committed from cell `k` on. */
  async lose(k: number): Promise<void> {
    this.guest.die();
    // Until the host has seen it.
    for (let n = 0; n < 5; n += 1) await new Promise((resolve) => setImmediate(resolve));
    this.guest.committed.length = k;
    this.guest.told.length = 0;
  }
}

let scene: Scene;
let twin: Scene;
beforeEach(() => {
  scene = new Scene();
  twin = new Scene();
});
afterEach(async () => {
  for (const { guest, dir } of [scene, twin]) {
    await guest.close();
    rmSync(dir, { recursive: true, force: true });
  }
});

async function both(work: (each: Scene) => Promise<unknown>): Promise<void> {
  for (const each of [scene, twin]) await work(each);
}

test('a cell looks for a lost state before it runs and until its step is ended, and its own is shipped once its record is on the chain, by a later attempt too', async () => {
  const seen: unknown[] = [];
  const recorded = () => scene.folder.chain.walk(scene.folder.chain.head()).length - 1;
  const checkpoints: Partial<Checkpoints> = {
    refill: async ({ session, folder, cells, recordOf }, fetching) => (seen.push(['refill', session, folder === scene.folder.sandbox, cells, recordOf(cells), fetching?.signal?.aborted]), undefined),
    ship: ({ cells, pending, recordOf, codeShaOf, diskBytes, onShipped, onFailed }) => {
      seen.push(['ship', cells, pending, recorded(), recordOf(cells - 1) === scene.folder.chain.head(), codeShaOf(cells - 1) === sha256('b = 2'), diskBytes === request().limits.diskBytes]);
      onShipped?.(cells - 1);
      onFailed?.('Not all of it.');
    },
  };
  scene.open();
  scene.world.checkpoints = checkpoints as Checkpoints;
  await scene.cell('a = 1');
  scene.guest.saved = () => 'pending';
  const parent = scene.head;
  await scene.cell('b = 2');
  await scene.cell('b = 2', { parent, seq: 2 }, { attempt: 2 });
  expect(seen).toEqual([
    ['refill', 's', true, 0, undefined, false],
    ['ship', 1, false, 1, true, false, true],
    ['refill', 's', true, 1, undefined, false],
    ['ship', 2, true, 2, true, true, true],
    ['ship', 2, true, 2, true, true, true],
  ]);
  expect(scene.events('state-shipped')).toEqual([{ k: 0 }, { k: 1 }, { k: 1 }]);
  expect(scene.events('state-not-shipped')).toContainEqual({ message: 'Not all of it.' });
  const keys = scene.folder.readEvents().events.map(({ seq, attempt, n }) => `${seq} ${attempt} ${n}`);
  expect(new Set(keys).size).toBe(keys.length);
});

test('a cell notes its manifest and how that was kept', async () => {
  scene.open();
  await scene.cell('a = 1');
  scene.guest.saved = () => 'pending';
  await scene.cell('b = 2');
  expect(scene.folder.chain.walk(scene.head).slice(1).map(({ record: { refs } }) => refs.kernel)).toEqual([{ manifest: 0, saved: 'local' }, { manifest: 1, saved: 'pending' }]);
  expect(scene.last).not.toHaveProperty('restored');
});

test('no clock decides which attempt is fenced: a later step and a later attempt have a higher epoch', async () => {
  const epochs: [number, number][] = [];
  let dies = false;
  scene.guest.during = ({ epoch }) => {
    epochs.push(epoch);
    if (dies) scene.guest.die();
    return dies;
  };
  scene.open();
  const activity = (activityId: string, attempt: number, runId: string, atMs: number) => ({ attempt, activityId, workflowExecution: { workflowId: 's', runId }, scheduledTimestampMs: atMs, currentAttemptScheduledTimestampMs: atMs });
  await scene.cell('a = 1', {}, activity('7', 2, 'one', 9_000_000));
  dies = true;
  await expect(scene.cell('b = 2', {}, activity('9', 1, 'one', 9_800_000))).rejects.toThrow(/was lost 4 times/);
  dies = false;
  // The clock is set back for each: an attempt of the same step, the next step, a run that goes on.
  await scene.cell('b = 2', {}, activity('9', 2, 'one', 1_000));
  await scene.cell('c = 3', {}, activity('10', 1, 'one', 500));
  await scene.cell('d = 4', {}, activity('1', 1, 'two', 100));
  const said = [...new Map(epochs.map((epoch) => [epoch.join(), epoch])).values()];
  expect(said).toHaveLength(5);
  expect(said).toEqual(said.toSorted(([a, n], [b, m]) => a - b || n - m));
  expect(said.map(([, attempt]) => attempt)).toEqual([2, 1, 2, 1, 1]);
  expect(scene.folder.chain.head()).toBe(scene.head);
});

describe('a disturbed session decides and sends what an undisturbed one does', () => {
  test('where its kernel brought everything back, and where a cell ran again: people see it, and the record has it', async () => {
    await both(async (each) => {
      each.open();
      await each.cell('a = 1');
    });
    scene.guest.reply = ({ code }) => ({ stdout: { text: `${code}\n`, omitted: 0 }, restored: REPORT });
    scene.guest.during = ({ k }, say) => say({ type: 'again', k, run: 2, message: 'killed by SIGKILL' });
    await both((each) => each.cell('b = 2'));
    expect([scene.decided, scene.prompt]).toEqual([twin.decided, twin.prompt]);
    expect(scene.last).toMatchObject({ restored: REPORT, again: ['killed by SIGKILL'] });
    expect(scene.events('kernel-restored')).toEqual([{ head: 1, variables: 3, ms: 7, recomputed: ['rows'], lost: [] }]);
    expect(scene.events('cell-again')).toEqual([{ k: 1, run: 2, message: 'killed by SIGKILL' }]);
  });

  test('where earlier cells had to run again and showed the same', async () => {
    await both(async (each) => {
      each.open();
      for (const code of ['a = 1', 'b = 2', 'c = 3']) await each.cell(code);
    });
    await scene.lose(1);
    await both((each) => each.cell('d = 4'));
    expect(scene.guest.told).toEqual(['conflict 3', 'run 1 b = 2', 'run 2 c = 3', 'run 3 d = 4']);
    expect([scene.decided, scene.prompt]).toEqual([twin.decided, twin.prompt]);
    expect(scene.last.caughtUp).toEqual([{ k: 1, same: true }, { k: 2, same: true }]);
    expect(scene.events('cell-caught-up')).toEqual([{ k: 1, same: true }, { k: 2, same: true }]);
  });
});

describe('a model is told', () => {
  test('what was lost, and what decided the step stays the same', async () => {
    await both(async (each) => {
      each.open();
      await each.cell('a = 1');
    });
    scene.guest.reply = ({ code }) => ({ stdout: { text: `${code}\n`, omitted: 0 }, restored: { ...REPORT, lost: [{ name: 'db', type: 'Connection', cell: 0, message: "The variable 'db' was lost." }] } });
    await both((each) => each.cell('b = 2'));
    expect(scene.decided).toEqual(twin.decided);
    expect(scene.prompt).toContain("The variable 'db' was lost.");
    expect(scene.events('kernel-restored')).toEqual([expect.objectContaining({ lost: ['db'] })]);
  });

  test('which of the cells that ran again showed something else, through the lens they were seen through', async () => {
    scene.open('masked');
    scene.guest.reply = ({ code }) => ({ stdout: { text: `${code} Qwertyson\n`, omitted: 0 } });
    for (const code of ['a = 1', 'b = 2', 'c = 3']) await scene.cell(code);
    await scene.lose(0);
    // What a mask hides may differ; what it shows may not.
    scene.guest.reply = ({ k, code }) => ({ stdout: { text: `${code} Qwertyson${k === 1 ? ' 17' : ''}\n`, omitted: 0 } });
    await scene.cell('d = 4');
    expect(scene.last.caughtUp).toEqual([0, 1, 2].map((k) => ({ k, same: k !== 1 })));
    expect(scene.prompt).toContain('The saved state of cells 0 to 2 was gone, so they ran again before this one; cell 1 showed something else');
    expect(JSON.stringify(scene.folder.readEvents().events)).not.toContain('Qwertyson');
  });

  test('that the state after a cell is not saved', async () => {
    scene.open();
    scene.guest.saved = () => 'none';
    scene.guest.reply = () => ({ unsaved: 'The disk is full, so the state after this cell is not saved.' });
    await scene.cell('a = 1');
    expect(scene.prompt).toContain('The disk is full, so the state after this cell is not saved.');
    expect(scene.events('state-unsaved')).toEqual([{ message: 'The disk is full, so the state after this cell is not saved.' }]);
    expect(scene.folder.chain.record(scene.head!).refs.kernel).toEqual({ manifest: 0, saved: 'none' });
  });
});

describe('a session that catches up', () => {
  test('looks at its inputs again as it did, runs what a person made of a cell, and gives each the time it had', async () => {
    scene.open('full', 2000);
    await scene.cell('', { args: { target: 'inspect', call: '', code: null } });
    await scene.cell('', { args: { target: 'cell', call: 'c', code: { text: 'edited = 1' } } });
    scene.guest.reply = ({ code }) => ({ ended: 'interrupted', ms: 70.2, error: { type: 'Interrupted', message: 'It was interrupted.', traceback: '' }, stdout: { text: code, omitted: 0 } });
    await scene.cell('while True: pass');
    scene.guest.reply = ({ code }) => ({ stdout: { text: `${code}\n`, omitted: 0 } });
    scene.open('full', 3000);
    await scene.cell('b = 2');
    await scene.lose(0);
    const limits: number[] = [];
    scene.guest.during = ({ timeoutMs }) => void limits.push(timeoutMs);
    scene.guest.reply = ({ k, code }) => (k === 2 ? { ended: 'timeout', error: { type: 'TimeLimit', message: 'x', traceback: '' } } : { stdout: { text: `${code}\n`, omitted: 0 } });
    await scene.cell('c = 3');
    expect(scene.guest.told).toEqual(['conflict 4', 'roll back to 0', "run 0 __import__('nl2code_guest.inspection', fromlist=['report']).report()", 'run 1 edited = 1', 'run 2 while True: pass', 'run 3 b = 2', 'run 4 c = 3']);
    expect(limits).toEqual([2000, 2000, 71, 3000, 3000]);
    expect(scene.last.caughtUp!.every(({ same }) => same)).toBe(true);
  });

  test('finds the script that its follow-up goes on from where the host had put it', async () => {
    const script = scene.folder.blobs.put('print("verified")\n');
    const verified = { kind: 'verification', ok: true, checks: [], findings: [], outputs: [], stdout: { text: '', omitted: 0 }, stderr: { text: '', omitted: 0 }, isolation: 'none', ms: 1 };
    scene.open();
    await scene.cell('a = 1');
    scene.add({ kind: 'execute', args: { target: 'script', call: 'c', code: { path: 'made.py' } }, value: { ok: true, code: script, sig: 's' }, refs: { code: script, observation: { text: JSON.stringify(verified) } } });
    scene.add({ kind: 'close', args: { verdict: { request: 'r1', status: 'verified', script } } });
    scene.open();
    const file = join(scene.folder.sandbox, 'workspace', 'made.py');
    mkdirSync(join(scene.folder.sandbox, 'workspace'), { recursive: true });
    await scene.lose(0);
    const there: boolean[] = [];
    scene.guest.during = () => void there.push(existsSync(file));
    await scene.cell('b = 2');
    expect(there).toEqual([false, true]);
    expect(readFileSync(file, 'utf8')).toBe('print("verified")\n');
  });
});
