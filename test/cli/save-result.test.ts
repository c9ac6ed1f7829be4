import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { resultText, size } from '../../src/cli/result-text.js';
import { checkSavePlace, saveResult } from '../../src/cli/save-result.js';
import { createTerminal } from '../../src/cli/terminal.js';
import type { Artifact } from '../../src/session/observation.js';
import type { Result } from '../../src/session/result.js';
import { NOTHING_SPENT } from '../../src/session/usage.js';
import { SessionStore, type SessionFolder } from '../../src/store/session-store.js';

let top: string;
let out: string;
let folder: SessionFolder;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'nl2code-save-'));
  out = join(top, 'out');
  folder = new SessionStore(join(top, 'data')).session('s1');
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

const artifact = (path: string, content: string, role: Artifact['role'] = 'output'): Artifact => ({ path, bytes: content.length, sha256: folder.blobs.put(content), role });
const result = (given: Partial<Result>): Result => ({
  session: 's1',
  request: 'r1',
  status: 'verified',
  reason: null,
  statement: 'runs, repeats',
  answer: null,
  script: 'print(1)\n',
  artifacts: [],
  verification: null,
  review: null,
  assumptions: [],
  questions: [],
  checks: [],
  decisions: [],
  steps: 5,
  spent: { ...NOTHING_SPENT, calls: 2, promptTokens: 1000, completionTokens: 234 },
  isolation: 'bubblewrap',
  exposure: 'masked',
  scripted: false,
  model: 'm',
  ms: 1234,
  ...given,
});

test('script, outputs and trace are written under their names', () => {
  const written = saveResult(result({ artifacts: [artifact('a b.csv', 'x'), artifact('plots/p.png', 'y', 'plot')] }), folder, out);
  expect(written).toEqual(['a b.csv', 'plots/p.png', 'script.py', 'trace.jsonl'].map((name) => join(out, name)));
  expect(readFileSync(join(out, 'plots/p.png'), 'utf8')).toBe('y');
  expect(readFileSync(join(out, 'script.py'), 'utf8')).toBe('print(1)\n');
  expect(readdirSync(out).sort()).toEqual(['a b.csv', 'plots', 'script.py', 'trace.jsonl']);
});

test('a script that has a name keeps it', () => {
  saveResult(result({ artifacts: [artifact('lookalike.py', 'print(1)\n', 'script')] }), folder, out);
  expect(existsSync(join(out, 'script.py'))).toBe(false);
  expect(existsSync(join(out, 'lookalike.py'))).toBe(true);
});

test('no name of a sandbox leaves the folder', () => {
  const hostile = ['../evil', '/tmp/evil', 'a/../../evil', '..', '.', 'a\0b'];
  saveResult(result({ artifacts: hostile.map((path) => artifact(path, 'x')) }), folder, out);
  expect(readdirSync(out).sort()).toEqual(['script.py', 'trace.jsonl']);
  expect(existsSync(join(top, 'evil'))).toBe(false);
});

test('a link that stands in the place is replaced, not written through', () => {
  mkdirSync(out);
  writeFileSync(join(top, 'precious'), 'mine');
  symlinkSync(join(top, 'precious'), join(out, 'x.csv'));
  saveResult(result({ artifacts: [artifact('x.csv', 'new')] }), folder, out);
  expect(readFileSync(join(top, 'precious'), 'utf8')).toBe('mine');
  expect(readFileSync(join(out, 'x.csv'), 'utf8')).toBe('new');
});

test('a folder that can not be written is one sentence', () => {
  writeFileSync(out, 'a file');
  expect(() => saveResult(result({}), folder, out)).toThrow(/can't be written \(E\w+\): name another folder with --out; the session s1 keeps its files\.$/);
});

test('the place is checked before anything is spent', () => {
  checkSavePlace(join(out, 'new', 'deeper'));
  expect(existsSync(out)).toBe(false);
  writeFileSync(out, 'a file');
  expect(() => checkSavePlace(out)).toThrow("can't be written (ENOTDIR): name another folder with --out.");
  expect(() => checkSavePlace(join(out, 'below'))).toThrow("can't be written (ENOTDIR): name another folder with --out.");
});

test('a result reads as what was verified, by what, and what it cost', () => {
  const terminal = createTerminal({ stdin: {}, stdout: { write: () => true }, stderr: { write: () => true }, env: {} });
  const text = resultText(result({ artifacts: [artifact('x.csv', 'abc')], answer: 'I \u001b[31mdid\nit', scripted: true, isolation: 'none', decisions: [{ actor: 'unauthenticated:me', what: 'script', kind: 'reject', reason: 'no' }] }), ['/o/x.csv'], terminal);
  expect(text.split('\n')).toEqual([
    'VERIFIED   1.2 s · 5 steps · 2 model calls · 1,234 tokens · $0.000 (scripted)',
    '  by        runs, repeats',
    "  answer    (the model's words) I did",
    '            it',
    '  decision  reject by unauthenticated:me: no',
    '  output    x.csv  3 B',
    '  written   /o/x.csv',
    '  note      a written playbook answered, no AI model',
    '  note      isolation none: the code ran with the rights of this user',
  ]);
});

test('sizes are short', () => expect([size(0), size(999), size(1000), size(12_345), size(2e9)]).toEqual(['0 B', '999 B', '1.0 kB', '12 kB', '2.0 GB']));
