import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { kernelLines } from '../../src/cli/kernel-text.js';
import { keptText, readKeptState } from '../../src/cli/kept-state.js';
import { readStepDetail } from '../../src/cli/step-detail.js';
import type { StepRecord } from '../../src/session/step-record.js';
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
