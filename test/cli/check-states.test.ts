import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkCheckpoints } from '../../src/cli/checks.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'nl2code-states-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const checked = (path: string, init = false) => checkCheckpoints({ checkpoints: { kind: 'folder', path }, durability: 'process' }, init);

test('without a folder for them states are on this machine only', async () =>
  expect(await checkCheckpoints({ checkpoints: null, durability: 'process' })).toEqual({ name: 'states', ok: true, detail: 'on this machine only (checkpoints.path names a folder that other hosts have too)' }));

test('a folder that was marked and can be written to works, and nothing is left in it', async () => {
  expect(await checked(dir)).toMatchObject({ ok: false, detail: expect.stringContaining('run nl2code doctor --init-checkpoints once') as string });
  expect(readdirSync(dir)).toEqual([]);
  expect(await checked(dir, true)).toMatchObject({ ok: true });
  expect(await checked(dir)).toEqual({ name: 'states', ok: true, detail: `shipped to ${dir} after each cell` });
  expect(readdirSync(dir)).toEqual(['nl2code-states']);
});

test('one that is gone is told with what to do', async () => {
  const gone = join(dir, 'gone');
  expect(await checked(gone)).toMatchObject({ ok: false, detail: expect.stringMatching(/^states can't be shipped to .*gone \(checkpoints\.path\) and stay on this machine: There is no folder .*gone: mount or make it, or correct checkpoints\.path$/) as string });
  expect(await checked(gone, true)).toMatchObject({ ok: false, detail: expect.stringContaining('There is no folder') as string });
});

test('without a folder for them there is none to mark', async () =>
  expect(await checkCheckpoints({ checkpoints: null, durability: 'process' }, true)).toMatchObject({ ok: false, detail: expect.stringContaining('set checkpoints.path') as string }));
