import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { kernelLines } from '../../src/cli/kernel-text.js';
import { keptText, readKeptState } from '../../src/cli/kept-state.js';
import { readRemoteState, storedText } from '../../src/cli/remote-state.js';
import { readStepDetail } from '../../src/cli/step-detail.js';
import { identityKey, manifestKey, NONE_BEFORE } from '../../src/sandbox/remote-checkpoint.js';
import type { StepRecord } from '../../src/session/step-record.js';
import { objectOf } from '../../src/store/checkpoint-store.js';
import { FolderCheckpoints } from '../../src/store/folder-checkpoints.js';
import { SessionStore, type SessionFolder } from '../../src/store/session-store.js';
import { traceLines } from '../../src/store/trace.js';
import { record } from '../store/record.js';

let dir: string;
let folder: SessionFolder;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'nl2code-kept-'));
  folder = new SessionStore(dir).session('s');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const lost = { name: 'db', type: 'Connection', cell: 0, message: "The variable 'db' was lost." };
const cell = { kind: 'cell', k: 0, ended: 'ok', stdout: { text: '', omitted: 0 }, stderr: { text: '', omitted: 0 }, result: null, displays: [], error: null, ms: 1 };
function run(target: 'cell' | 'script', over: Partial<StepRecord['refs']> = {}): void {
  const links = folder.chain.walk(folder.chain.head());
  folder.chain.commit(`k${links.length}`, record({ kind: 'execute', parent: folder.chain.head(), seq: links.length, args: { target, call: 'c', code: null }, value: { ok: true, sig: '' }, refs: { code: folder.blobs.put('a = 1'), observation: { text: JSON.stringify(cell) }, ...over } }), links.length);
}
function keep(...ks: number[]): void {
  const manifests = join(folder.sandbox, 'checkpoint', 'manifests');
  mkdirSync(manifests, { recursive: true });
  for (const k of ks) writeFileSync(join(manifests, `${String(k).padStart(8, '0')}.manifest`), '');
  writeFileSync(join(manifests, 'new.tmp'), '');
}

test('what is kept of a session is read from its chain and its folder', () => {
  run('cell', { kernel: { manifest: 0, saved: 'local' } });
  run('script');
  run('cell', { kernel: { manifest: 1, saved: 'pending' } });
  expect(readKeptState(folder)).toEqual({ cells: 2, head: -1 });
  keep(0, 1);
  expect(readKeptState(folder)).toEqual({ cells: 2, head: 1 });
  expect(traceLines(folder).map((line) => (JSON.parse(line) as { kernel?: unknown }).kernel)).toEqual([{ manifest: 0, saved: 'local' }, undefined, { manifest: 1, saved: 'pending' }]);
});

const elsewhere = { place: '/mnt/states', problem: null };
test.each([
  [{ ...elsewhere, head: 2 }, 'remote: cells 0 to 2, in /mnt/states'],
  [{ ...elsewhere, head: 1 }, 'remote: cells 0 to 1, in /mnt/states; local: cell 2'],
  [{ ...elsewhere, head: 0 }, 'remote: cell 0, in /mnt/states; local: cells 1 to 2'],
  [{ ...elsewhere, head: -1 }, 'local: cells 0 to 2; nothing is in /mnt/states yet'],
  [{ ...elsewhere, head: null }, "what is in /mnt/states can't be told"],
])('of three cells %j is said in a line', (remote, said) => expect(storedText(3, remote)).toBe(said));

test('up to which cell states are remote is told from what is there, and why the rest is not from what a worker said last', async () => {
  const store = new FolderCheckpoints(dir, 'process');
  await store.init();
  run('cell', { kernel: { manifest: 0, saved: 'local' } });
  run('cell', { kernel: { manifest: 1, saved: 'local' } });
  expect(await readRemoteState(folder, store)).toEqual({ place: dir, head: -1, problem: null });
  const events = folder.events({ seq: 1, attempt: 1, step: 'execute' });
  events.emit('state-not-shipped', { message: 'It was not to be.' });
  expect(await readRemoteState(folder, store)).toMatchObject({ problem: 'It was not to be.' });
  const [first] = folder.chain.walk(folder.chain.head());
  await store.put(identityKey('s', 'lineage'), objectOf(Buffer.from('{}')));
  await store.put(manifestKey('s', 'lineage', { k: 0, record: first!.hash, sha: 'a'.repeat(64), before: NONE_BEFORE }), objectOf(Buffer.from('x')));
  events.emit('state-shipped', { k: 0 });
  expect(await readRemoteState(folder, store)).toEqual({ place: dir, head: 0, problem: null });
  expect(await readRemoteState(folder, new FolderCheckpoints(join(dir, 'never'), 'process'))).toMatchObject({ head: null, problem: expect.stringContaining('There is no folder') as string });
});

test('a state that is elsewhere counts where none is here', () => {
  expect(keptText({ cells: 9, head: -1 }, 5)).toBe('state after cell 5 is kept: cells 6 to 8 run again when the session goes on');
  expect(keptText({ cells: 9, head: 3 }, 5)).toBe('state after cell 3 is kept: cells 4 to 8 run again when the session goes on');
});

test('a session of before states were kept has none to speak of', () => {
  run('cell');
  keep(0);
  expect(readKeptState(folder)).toBeNull();
});

test.each([
  [{ cells: 3, head: 2 }, 'state after cell 2 is kept'],
  [{ cells: 3, head: 1 }, 'state after cell 1 is kept: cell 2 runs again when the session goes on'],
  [{ cells: 9, head: 1 }, 'state after cell 1 is kept: cells 2 to 8 run again when the session goes on'],
  [{ cells: 9, head: -1 }, 'no state is kept: cells 0 to 8 run again when the session goes on'],
])('%j is said in a line', (kept, said) => expect(keptText(kept)).toBe(said));

describe('a step shows what its kernel went through', () => {
  const restored = { head: 3, variables: 2, recomputed: ['g'], unproved: [], lost: [lost], notes: ['Threads have ended.'], ms: 4.4 };
  test('below its code', () => {
    run('cell', { observation: { text: JSON.stringify({ ...cell, restored, again: ['killed by SIGKILL'], unsaved: 'The disk is full.' }) } });
    expect(readStepDetail(folder, 0)!.lines).toEqual(['a = 1', 'the kernel is back at cell 3: 2 variables in 4 ms; computed again: g; lost: db', "The variable 'db' was lost.", 'Threads have ended.', 'ran again: killed by SIGKILL', 'The disk is full.']);
  });
  test('cells that ran again before it, and which of them showed something else', () => {
    expect(kernelLines({ caughtUp: [{ k: 0, same: true }, { k: 1, same: false }] })).toEqual(['2 cells ran again before it; something else was shown by 1']);
    expect(kernelLines({ caughtUp: [{ k: 0, same: true }] })).toEqual(['one cell ran again before it']);
    expect(kernelLines({})).toEqual([]);
  });
});
