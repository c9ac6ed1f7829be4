import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { RequestOptions } from '../../src/admission/admit.js';
import { playbookReport } from '../../src/model/scripted/control.js';
import type { Result } from '../../src/session/result.js';
import { startInProcess, toEnd, type InProcess } from '../rig/in-process.js';
import { lookalikeRequest } from '../rig/lookalike.js';

let rig: InProcess;
let request: RequestOptions;
beforeAll(async () => {
  rig = await startInProcess(inject('temporalAddress'));
  request = lookalikeRequest(rig.dir);
});
afterAll(() => rig.close());

/** Counts of the one table's `group`, before and after. */
const groups = (result: Result) => result.verification!.changes!.outputs![0]!.table!.groups.find(({ column }) => column === 'group')!.values;

test('the lookalike request goes on with its variables alive: another holdout, then one segment, each judged by its own words', { timeout: 240_000 }, async () => {
  const { session } = await rig.client.start(request);
  expect((await toEnd(rig, session)).result).toMatchObject({ status: 'verified', statement: 'runs, repeats, request checks 4/4, pack checks 6/6' });

  const holdout = await rig.client.followUp(session, { prompt: 'Can you also make the holdout 10%?' });
  const second = (await toEnd(rig, session, undefined, holdout.request.id)).result!;
  expect(second, second.reason ?? '').toMatchObject({ status: 'verified', statement: 'runs, repeats, request checks 1/1, pack checks 7/7' });
  expect(second.verification!.changes).toMatchObject({ against: 'r1', outputs: [{ kind: 'table', table: { rows: [1000, 1000], key: ['user_id'], left: 0, came: 0, removed: [] } }] });
  expect(groups(second)).toEqual([['holdout', 200, 100], ['target', 800, 900]]);
  expect(second.verification!.changes!.script.diff).toMatch(/^-HOLDOUT_SHARE = 20 \/ 100\n\+HOLDOUT_SHARE = 10 \/ 100$/m);

  const segment = await rig.client.followUp(session, { prompt: 'Run this on the EU segment only.' });
  const third = (await toEnd(rig, session, undefined, segment.request.id)).result!;
  expect(third, third.reason ?? '').toMatchObject({ status: 'verified', statement: 'runs, repeats, request checks 1/1, pack checks 7/7' });
  expect(third.verification!.changes).toMatchObject({ against: holdout.request.id, outputs: [{ table: { rows: [1000, 400] } }] });
  expect(groups(third)).toEqual([['holdout', 100, 40], ['target', 900, 360]]);

  // Each made its mistake and mended it, in the kernel of the first request.
  const { chain, blobs } = rig.store.at(session);
  const seen = chain.walk(chain.head()).filter(({ record }) => record.kind === 'execute').map(({ record }) => blobs.text(record.refs.observation!));
  expect(seen.join('\n')).toMatch(/1000 of 1000 held back[^]*same users and scores: True[^]*\d+ of the audience are EU users/);
  expect(seen.filter((text) => text.includes('"restored":'))).toEqual([]);
  const { conversations } = await playbookReport(rig.modelUrl);
  expect(conversations).toEqual([expect.objectContaining({ playbook: 'lookalike.codeact', ok: true, mismatches: [], unused: [] })]);
});
