import { expect, test } from 'vitest';
import type { Finding } from '../../src/session/finding.js';
import type { CheckResult, VerificationObservation } from '../../src/session/observation.js';
import { findingText, verificationText } from '../../src/verification/finding-text.js';
import { statement } from '../../src/verification/statement.js';

const all = (state: CheckResult['state'], ...names: string[]): CheckResult[] => names.map((check) => ({ check, state, detail: 'so' }));
const OWN = all('passed', 'parses', 'main', 'credentials', 'plain', 'calls', 'runs', 'outputs', 'repeats', 'bad input');

function observation(checks: CheckResult[], findings: Finding[] = [], more: Partial<VerificationObservation> = {}): VerificationObservation {
  const nothing = { text: '', omitted: 0 };
  return { kind: 'verification', ok: findings.length === 0, checks, findings, outputs: [], stdout: nothing, stderr: nothing, isolation: 'bubblewrap', ms: 1, ...more };
}

test('a statement says what was checked and, when nobody did, that nobody checked the answer', () => {
  expect(statement(observation(OWN))).toBe('runs and repeats; nobody checked the answer');
  expect(statement(observation([...OWN, ...all('passed', 'pack:a', 'pack:b')]))).toBe('runs, repeats, pack checks 2/2');
  expect(statement(observation([...OWN, ...all('passed', 'pack:a'), ...all('failed', 'pack:b'), ...all('not-run', 'pack:c')]))).toBe('runs, repeats, pack checks 1/3');
  expect(statement(observation([...OWN, ...all('not-run', 'pack:a')]))).toBe('runs and repeats; nobody checked the answer');
  expect(statement(observation([...OWN.slice(0, 7), ...all('failed', 'repeats')]))).toBe('runs, does not repeat; nobody checked the answer');
  expect(statement(observation([...OWN, ...all('passed', 'request:1'), ...all('failed', 'request:2')]))).toBe('runs, repeats, request checks 1/2');
  expect(statement(observation([...OWN, ...all('passed', 'request:1', 'pack:a')]))).toBe('runs, repeats, request checks 1/1, pack checks 1/1');
  expect(statement(observation([...OWN, ...all('not-run', 'request:1')]))).toBe('runs and repeats; nobody checked the answer');
  expect(statement(observation(all('failed', 'parses')))).toBe('does not run; nobody checked the answer');
  expect(statement(observation(OWN, [], { isolation: 'none' }))).toBe('runs and repeats; nobody checked the answer; isolation: none');
});

test('a finding names code, line, file and remedy once', () => {
  expect(findingText({ code: 'run-failed', message: 'It raised.', remedy: 'Mend it.', line: 7, path: 'o.csv' })).toBe('[run-failed, line 7, o.csv] It raised.\n  Remedy: Mend it.');
  expect(findingText({ code: 'credentials', message: 'Line 7 holds a token.', remedy: '', line: 7 })).toBe('[credentials] Line 7 holds a token.');
});

test('hostile text is bounded and stripped, whatever stands in it', () => {
  const long = '\u{1b}[31m\u{202e}\u{200b}' + 'x'.repeat(100_000);
  const findings = Array.from({ length: 40 }, (): Finding => ({ code: 'output-differs', message: long, remedy: long, path: long }));
  const text = verificationText(observation(all('failed', long), findings, { stdout: { text: long, omitted: 5 }, stderr: { text: long, omitted: 0 } }));
  expect(text.length).toBeLessThan(45_000);
  expect(text).not.toMatch(/[\u{1b}\u{202e}\u{200b}]/u);
  expect(text).toContain('- and 28 more');
});

test('a verification that failed shows the last words of the script, one that passed does not', () => {
  const stdout = { text: `${'a\n'.repeat(2_000)}the end\n`, omitted: 10 };
  const failed = verificationText(observation(OWN, [{ code: 'output-missing', message: 'No file.', remedy: 'Write it.' }], { stdout }));
  expect(failed).toMatch(/^Verification FAILED: runs and repeats; nobody checked the answer\.\n- parses: passed \(so\)/);
  expect(failed).toMatch(/\[\d+ characters left out\]\n[\s\S]*the end$/);
  expect(verificationText(observation(OWN, [], { stdout }))).not.toContain('the end');
});
