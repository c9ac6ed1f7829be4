import { expect, test } from 'vitest';
import { decidedVerification } from '../../src/session/decided-verification.js';
import type { StepRecord } from '../../src/session/step-record.js';
import { NOTHING_SPENT } from '../../src/session/usage.js';

const record = (seq: number, target: 'script' | 'cell', code?: string): StepRecord => ({
  v: 1, parent: null, seq, kind: 'execute', args: { target, call: '', code: null }, facts: [], value: { ok: true, sig: '' }, refs: { ...(code ? { code } : {}), observation: { text: '{}' } }, spent: NOTHING_SPENT, startedAt: 0, ms: 0,
});
const edited = [record(1, 'cell', 'a'), record(2, 'script', 'a'), record(3, 'script', 'no python')];

test('a verdict rests on the verification of the script that was decided on, whatever was looked at after it', () => {
  expect(decidedVerification(edited, 'a')?.seq).toBe(2);
  expect(decidedVerification([...edited, record(4, 'script', 'a')], 'a')?.seq).toBe(4);
});

test('without a script, or with one that has none of its own, the last verification counts', () => {
  expect(decidedVerification(edited, undefined)?.seq).toBe(3);
  expect(decidedVerification(edited, 'b')?.seq).toBe(3);
  expect(decidedVerification([record(1, 'cell', 'a')], 'a')).toBeUndefined();
});
