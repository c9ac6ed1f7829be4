import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkCheckpoints } from '../../src/cli/checks.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'nl2code-states-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const checked = (path: string) => checkCheckpoints({ checkpoints: { kind: 'folder', path }, durability: 'process' });

test('without a folder for them states are on this machine only', async () =>
  expect(await checkCheckpoints({ checkpoints: null, durability: 'process' })).toEqual({ name: 'states', ok: true, detail: 'on this machine only (checkpoints.path names a folder that other hosts have too)' }));

test('a folder that can be written to works, and nothing is left in it', async () => {
  expect(await checked(dir)).toEqual({ name: 'states', ok: true, detail: `shipped to ${dir} after each cell` });
  expect(readdirSync(dir)).toEqual([]);
});

test('one that is gone is told with what to do', async () => {
  const gone = join(dir, 'gone');
  expect(await checked(gone)).toMatchObject({ ok: false, detail: expect.stringMatching(/^states can't be shipped to .*gone \(checkpoints\.path\) and stay on this machine: There is no folder .*gone: mount or make it, or correct checkpoints\.path$/) as string });
  mkdirSync(gone);
  expect(await checked(gone)).toMatchObject({ ok: true });
});
