import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { toDecision } from '../../src/cli/decide.js';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'nl2code-decide-'));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

test('approve, reject with and without a reason, edit with a file', () => {
  writeFileSync(join(cwd, 'new.py'), 'print(2)\n');
  expect(toDecision('approve', {}, cwd)).toEqual({ kind: 'approve' });
  expect(toDecision('reject', { reason: 'too slow' }, cwd)).toEqual({ kind: 'reject', reason: 'too slow' });
  expect(toDecision('reject', { reason: ' ' }, cwd)).toEqual({ kind: 'reject' });
  expect(toDecision('edit', { file: 'new.py' }, cwd)).toEqual({ kind: 'edit', code: { text: 'print(2)\n' } });
});

test('answers to the questions of a plan, also with = in them', () => {
  expect(toDecision('approve', { answer: ['q1=EU only', 'q2=a=b'] }, cwd)).toEqual({ kind: 'approve', answers: { q1: 'EU only', q2: 'a=b' } });
});

test.each<[string, string, { reason?: string; file?: string; answer?: string[] }, string]>([
  ['an unknown word', 'aprove', {}, 'The decision "aprove" is not known: choose approve, edit or reject.'],
  ['an edit without a file', 'edit', {}, 'An edit needs the new code, or the new plan: name its file with --file.'],
  ['an edit of a missing file', 'edit', { file: 'x.py' }, 'The file "x.py" can\'t be read (ENOENT): correct the path.'],
  ['a reason for an approval', 'approve', { reason: 'fine' }, '--reason belongs to reject, not to "approve": leave it out, or decide reject.'],
  ['an answer without a question', 'approve', { answer: ['EU'] }, 'The answer "EU" names no question and text: give it as q1=TEXT.'],
  ['an answer for a rejection', 'reject', { answer: ['q1=EU'] }, '--answer belongs to approve, not to "reject": leave it out, or decide approve.'],
  ['a file for a rejection', 'reject', { file: 'x.py' }, '--file belongs to edit, not to "reject": leave it out, or decide edit.'],
])('%s is refused', (_what, kind, options, sentence) => expect(() => toDecision(kind, options, cwd)).toThrow(sentence));

test('an edit with an empty file is refused', () => {
  writeFileSync(join(cwd, 'x.py'), '\n');
  expect(() => toDecision('edit', { file: 'x.py' }, cwd)).toThrow('The file "x.py" is empty: write the whole code, or plan, into it.');
});
