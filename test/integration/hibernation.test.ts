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
  const { chain, blobs } = rig.store.at(session);
  return chain.walk(chain.head()).flatMap(({ record }) => (record.refs.kernel ? [JSON.parse(blobs.text(record.refs.observation!)) as CellObservation] : []));
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
  const { sandbox } = rig.store.at(waited.session);
  const seen = await gone(waited.session, async () => {
    await eventually(() => readRunState(sandbox)!.endedBecause !== null, 'the lease is over', 30_000);
    expect(readRunState(sandbox)!.endedBecause).toBe(`lease: no worker held a stream for ${LEASE_MS / 1000} s`);
    await eventually(() => !supervisorAlive(readRunState(sandbox)!), 'nothing of it runs');
    expect(readdirSync(join(sandbox, 'run'))).not.toContain('s.sock');
  });
  expect(seen.at(-1)).toMatchObject({ stdout: { text: 'doubled 30\n' }, restored: { head: seen.length - 2, lost: [], notes: [] } });
  expect(rig.store.at(waited.session).readEvents().events.filter(({ kind }) => kind === 'kernel-restored').length).toBeGreaterThan(0);
  expect(sent(waited.session)).toEqual(sent(never.session));
});
