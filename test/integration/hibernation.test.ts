import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { readRunState, supervisorAlive } from '../../src/sandbox/process/run-state.js';
import type { CellObservation } from '../../src/session/observation.js';
import { startInProcess, toEnd, type InProcess } from '../rig/in-process.js';
import { eventually } from '../sandbox/rig.js';

const LEASE_MS = 1000;

let rig: InProcess;
let leaseMs = 60_000;
beforeAll(async () => {
  rig = await startInProcess(inject('temporalAddress'), { world: (world) => Object.defineProperty({ ...world }, 'leaseMs', { get: () => leaseMs }) });
});
afterAll(() => rig.close());

/** Runs a request, waits in between, and goes on with what it left in the kernel. */
async function gone(session: string, between: () => Promise<void>): Promise<CellObservation[]> {
  expect((await toEnd(rig, session)).result).toMatchObject({ status: 'verified' });
  await between();
  const { request } = await rig.client.followUp(session, { prompt: 'Can you also double it?' });
  expect((await toEnd(rig, session, undefined, request.id)).result).toMatchObject({ status: 'verified' });
  return cellsOf(session);
}

function cellsOf(session: string): CellObservation[] {
  const { chain, blobs } = rig.store.at(session);
  return chain.walk(chain.head()).flatMap(({ record }) => (record.refs.kernel ? [JSON.parse(blobs.text(record.refs.observation!)) as CellObservation] : []));
}

/** Waits until nothing of a session's sandbox runs any more. */
async function hibernated(session: string): Promise<void> {
  const { sandbox } = rig.store.at(session);
  await eventually(() => readRunState(sandbox)!.endedBecause !== null, 'the lease is over', 30_000);
  expect(readRunState(sandbox)!.endedBecause).toBe(`lease: no worker held a stream for ${LEASE_MS / 1000} s`);
  await eventually(() => !supervisorAlive(readRunState(sandbox)!), 'nothing of it runs');
  expect(readdirSync(join(sandbox, 'run'))).not.toContain('s.sock');
}

/** Runs a request whose every cell and script a person sees; `before` each of their answers. The second script is what they want. */
async function approved(session: string, before: (nth: number) => Promise<void>): Promise<CellObservation[]> {
  const seen: string[] = [];
  const end = await toEnd(rig, session, async (followed) => {
    const proposal = followed.kind === 'snapshot' ? followed.snapshot.proposal : null;
    if (!proposal || seen.includes(proposal.id)) return;
    seen.push(proposal.id);
    await before(seen.length);
    const rejects = proposal.what === 'script' && seen.length === 3;
    await rig.client.decide(session, { proposal: proposal.id, actor: 'ann', decision: rejects ? { kind: 'reject', reason: 'Triple it, please.' } : { kind: 'approve' } });
  });
  expect(end.result, end.result?.reason ?? '').toMatchObject({ status: 'verified', answer: 'The number is tripled.' });
  // Two cells and a script, then a cell and a script.
  expect(seen).toHaveLength(5);
  return cellsOf(session);
}

const sent = (session: string) => {
  const { chain } = rig.store.at(session);
  return chain.walk(chain.head()).map(({ record }) => record.sent?.sha);
};

test('a session that waits gives its sandbox up, has its variables back when it goes on, and its model reads nothing of it', async () => {
  const request = { prompt: 'Write the kept number.', outputs: ['numbers.txt'] };
  const never = await rig.client.start(request);
  const undisturbed = (await gone(never.session, () => Promise.resolve())).at(-1)!;
  expect(undisturbed).toMatchObject({ stdout: { text: 'doubled 30\n' } });
  expect(undisturbed).not.toHaveProperty('restored');

  leaseMs = LEASE_MS;
  const waited = await rig.client.start(request);
  const seen = await gone(waited.session, () => hibernated(waited.session));
  expect(seen.at(-1)).toMatchObject({ stdout: { text: 'doubled 30\n' }, restored: { head: seen.length - 2, lost: [], notes: [] } });
  expect(rig.store.at(waited.session).readEvents().events.filter(({ kind }) => kind === 'kernel-restored').length).toBeGreaterThan(0);
  expect(sent(waited.session)).toEqual(sent(never.session));
});

test('a session whose every cell and script waits for a person longer than its lease goes on as one that nobody let wait', { timeout: 120_000 }, async () => {
  const request = { prompt: 'Write the awaited number.', outputs: ['numbers.txt'], approval: 'every-cell' as const };
  leaseMs = 60_000;
  const never = await rig.client.start(request);
  const undisturbed = await approved(never.session, () => Promise.resolve());
  leaseMs = LEASE_MS;
  const waited = await rig.client.start(request);
  const seen = await approved(waited.session, () => hibernated(waited.session));
  const texts = (cells: CellObservation[]) => cells.map(({ ended, stdout }) => [ended, stdout.text]);
  expect(texts(seen)).toEqual(texts(undisturbed));
  expect(texts(seen).slice(-3)).toEqual([['ok', 'kept [15]\n'], ['ok', 'doubled [30] 15\n'], ['ok', 'tripled 45\n']]);
  // Each cell found a kernel of its own, and nothing was missing in it.
  for (const [n, cell] of seen.entries()) if (n > 0) expect(cell).toMatchObject({ restored: { head: n - 1, lost: [], unproved: [], notes: [] } });
  expect(undisturbed.some((cell) => 'restored' in cell)).toBe(false);
  expect(sent(waited.session)).toEqual(sent(never.session));
});
