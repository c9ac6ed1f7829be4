import { beforeAll, describe, expect, test } from 'vitest';
import { Known } from '../../src/exposure/known.js';
import { maskedLens, schemaLens, type Lens } from '../../src/exposure/lens.js';
import { LiveText } from '../../src/exposure/live-text.js';
import type { WireShape } from '../../src/kernel/protocol.js';
import type { CellObservation, Display, VerificationObservation } from '../../src/session/observation.js';
import { lookAt, maskOf } from './mask-room.js';

const text = (value: string) => ({ text: value, omitted: 0 });
const shown = (value: string, html?: string): Display => ({ text: { 'text/plain': text(value), ...(html ? { 'text/html': text(html) } : {}) }, images: {} });
const cell = (over: Partial<CellObservation> = {}): CellObservation => ({ kind: 'cell', k: 3, ended: 'ok', stdout: text(''), stderr: text(''), result: null, displays: [], error: null, ms: 1, ...over });
const verification = (over: Partial<VerificationObservation> = {}): VerificationObservation => ({ kind: 'verification', ok: false, checks: [], findings: [], outputs: [], stdout: text(''), stderr: text(''), isolation: 'bubblewrap', ms: 1, ...over });
const known = new Known();
known.addAll(['total = people["amount"].sum()\nraise ValueError("total is wrong")', 'totals.csv', 'market']);
const library = new Set(['valueerror', 'keyerror', 'late']);

describe('under schema', () => {
  const lens = schemaLens(known, library);
  const none = new Map<Display, WireShape | undefined>();

  test('what was printed becomes how much', () => {
    const seen = lens.cell(cell({ stdout: text('Rose 12'), stderr: { text: 'x'.repeat(1000), omitted: 500 } }), none);
    expect(seen).toMatchObject({ exposure: 'schema', stdout: text('[7 characters were printed; not shown under exposure schema]'), stderr: text('[1,500 characters were printed; not shown under exposure schema]') });
  });

  test('a value becomes its type, its size, and names that are known', () => {
    const result = shown('   amount Rose\n0 1.5 2', '<table>');
    const shape = { type: 'DataFrame', size: [1, 2], columns: [['amount', 'float64'], ['Rose', 'int64'], ['market', 'Rose[12]']] };
    const seen = lens.cell(cell({ result, displays: [shown('12')] }), new Map([[result, shape]]));
    expect(seen.result!.text).toEqual({ 'text/plain': text('[DataFrame, 1 row × 2 columns; values are not shown under exposure schema]\n  amount  float64\n  col_2  int64\n  market  object') });
    expect(seen.displays[0]!.text).toEqual({ 'text/plain': text('[a value; not shown under exposure schema]') });
  });

  test('a name that code has put together of known words has a number, since their order may spell anything', () => {
    const result = shown('x');
    const columns = [['amount', 'float64'], ['people_amount', 'float64'], ['amount_people', 'float64']];
    const seen = lens.cell(cell({ result }), new Map([[result, { type: 'DataFrame', size: [1, 3], columns }]]));
    expect(seen.result!.text['text/plain']!.text).toContain('\n  amount  float64\n  people_amount  float64\n  col_3  float64');
  });

  test('a type that a cell has named after data is an object', () => {
    const result = shown('x');
    expect(lens.cell(cell({ result }), new Map([[result, { type: 'RoseBaker', dtype: 'Rose', size: [2, 3] }]])).result!.text['text/plain']!.text).toBe('[object of object, 2 × 3; values are not shown under exposure schema]');
  });

  test.each([
    ["KeyError: 'Rose'", 'KeyError', '(the message is not shown under exposure schema)'],
    ["'amount'", 'KeyError', "'amount'"],
    ['late', 'KeyError', '(the message is not shown under exposure schema)'],
    ['total is wrong', 'ValueError', 'total is wrong'],
    ['amount 12', 'ValueError', '(the message is not shown under exposure schema)'],
  ])('an error that says %s keeps its class and line', (message, type, told) => {
    const traceback = `Traceback (most recent call last):\n  File "<cell 3>", line 12, in <module>\n    f("Rose")\n  File "/workspace/Rose.py", line 2, in Rose\n${type}: ${message}`;
    const { error } = lens.cell(cell({ ended: 'error', error: { type, message, traceback } }), none);
    expect(error).toEqual({ type, message: told, traceback: `Traceback (most recent call last):\n  File "<cell 3>", line 12\n${type}: ${told}` });
  });

  test('an error class named after data is an Error', () => {
    expect(lens.cell(cell({ ended: 'error', error: { type: 'RoseBaker', message: 'x', traceback: '' } }), none).error!.type).toBe('Error');
  });

  test('a dotted class keeps what is known of it, and a dtype what is no name', () => {
    expect(lens.cell(cell({ ended: 'error', error: { type: 'John_Smith_1970.ValueError', message: 'x', traceback: '' } }), none).error!.type).toBe('ValueError');
    const result = shown('x');
    const told = (dtype: string) => lens.cell(cell({ result }), new Map([[result, { type: 'Series', dtype, size: [2] }]])).result!.text['text/plain']!.text;
    expect(told('object[John Smith 555]')).toContain('Series of object, 2 items');
    expect(told('datetime64[ns, UTC]')).toContain('Series of datetime64[ns, UTC], 2 items');
    expect(told('datetime64[ns, John/Smith]')).toContain('Series of datetime64, 2 items');
    expect(told(`<U${'7'.repeat(20)}`)).toContain('Series of object');
  });

  test('the inputs are told by headers and types, and a header that is data has a number', () => {
    const seen = lens.inputs(cell({ stdout: text('Rose 12') }), { versions: 'Python 3.11.2.', parts: [{ file: 'people.csv', kind: 'CSV', code: "pd.read_csv('people.csv')", rows: 1200, columns: [{ name: 'market', dtype: 'str' }, { name: null, dtype: 'int64' }] }] });
    expect(seen.stdout.text).toBe("Python 3.11.2.\n1 input file, in the current directory under its name. Only names and types are shown (exposure schema).\n\npeople.csv · CSV · 1,200 rows × 2 columns\n  pd.read_csv('people.csv')\n  market  str\n  col_2   int64");
    expect(lens.inputs(cell({ stdout: text('Rose') }), null).stdout.text).toBe('The inputs could not be looked at.');
  });

  test('a kernel that came back names what is known and how many, and no sentence about values', () => {
    const report = { head: 2, variables: 9, recomputed: ['total', 'Rose'], unproved: ['Rose'], lost: [{ name: 'total', type: 'RoseBaker', cell: 1, message: 'Rose' }, { name: 'Rose', type: 'DataFrame', cell: null, message: 'total is wrong' }], notes: ['Rose is 12', 'total is wrong'], ms: 5 };
    const seen = lens.cell(cell({ restored: report, again: ['The kernel died in this cell: killed by SIGKILL.'], unsaved: 'Rose is too large.' }), none);
    expect(seen).toMatchObject({
      restored: {
        head: 2,
        variables: 9,
        recomputed: ['total', 'variable_2'],
        unproved: ['variable_1'],
        lost: [{ name: 'total', type: 'object', cell: 1, message: '' }, { name: 'variable_2', type: 'DataFrame', cell: null, message: 'total is wrong' }],
        notes: ['total is wrong', 'Not everything is as it was: look again at what you need.'],
        ms: 5,
      },
      again: ['The kernel died in this cell: killed by SIGKILL.'],
      unsaved: 'The state after this cell could not be saved.',
    });
    expect(JSON.stringify([seen, lens.words({ restored: report, unsaved: 'Rose' })])).not.toContain('Rose');
    expect(lens.cell(cell(), none)).not.toHaveProperty('restored');
  });

  test('verification keeps codes, checks, lines and remedies', () => {
    const seen = lens.verification(
      verification({
        checks: [{ check: 'runs', state: 'failed', detail: 'Rose' }, { check: 'pack:Rose', state: 'passed', detail: 'market' }],
        findings: [
          { code: 'run-failed', message: 'The script ended with exit code 1:\nTraceback\nValueError: Rose has 12', remedy: 'Mend it.', line: 7 },
          { code: 'pack-check-failed', message: 'sizes: Rose 12', remedy: 'r', path: 'Rose.csv' },
          { code: 'unknown-call', message: 'pandas has no total', remedy: 'r' },
        ],
        outputs: [{ path: 'Rose.csv', bytes: 1, sha256: 'x', role: 'file' }, { path: 'totals.csv', bytes: 1, sha256: 'x', role: 'output' }],
        stdout: text('Rose'),
      }),
      'total = people["amount"].sum()',
    );
    expect(seen.checks).toEqual([{ check: 'runs', state: 'failed', detail: '' }, { check: 'pack:check', state: 'passed', detail: 'market' }]);
    expect(seen.findings).toEqual([
      { code: 'run-failed', message: 'The script did not run to its end. It ended with ValueError. Its values are not shown under exposure schema.', remedy: 'Mend it.', line: 7 },
      { code: 'pack-check-failed', message: 'A check of the context pack failed. Its values are not shown under exposure schema.', remedy: 'r', path: 'file_1.csv' },
      { code: 'unknown-call', message: 'pandas has no total', remedy: 'r' },
    ]);
    expect(seen.outputs.map(({ path, shown: name }) => [path, name])).toEqual([['Rose.csv', 'file_1.csv'], ['totals.csv', undefined]]);
    expect(seen).not.toHaveProperty('hidesScript');
  });

  test('a script that code has written values into is not quoted', () => {
    const found = { code: 'syntax-error' as const, message: 'line 1: Rose', remedy: 'r' };
    expect(lens.verification(verification({ findings: [found] }), 'total = "Rose"')).toMatchObject({ hidesScript: true, findings: [{ message: 'It does not hold. Its values are not shown under exposure schema.' }] });
  });
});

describe('under masked', () => {
  let lens: Lens;
  beforeAll(() => {
    lens = maskedLens(maskOf([lookAt({ 'people.csv': 'name,amount\nRose Baker,12\nWill Qwertyson,13\n' }).sensitive], ['total']));
  });

  test('every text of a cell is masked, and markup beside plain text is left out', () => {
    const result = shown('Rose Baker 12', '<td>Rose Baker</td>');
    const seen = lens.cell(cell({ ended: 'error', stdout: text('Rose Baker'), stderr: text('Rose Baker'), result, displays: [result], error: { type: 'ValueError', message: 'Rose Baker', traceback: 'ValueError: Rose Baker' } }), new Map());
    expect(JSON.stringify(seen)).not.toMatch(/Rose|Baker/);
    expect(seen.result!.text['text/plain']!.text).toMatch(/^‹name \w{5}› 12$/);
    expect(Object.keys(seen.displays[0]!.text)).toEqual(['text/plain']);
  });

  test('every word of a kernel about its variables is masked, and its numbers stay', () => {
    const report = { head: 2, variables: 9, recomputed: ['Rose Baker'], unproved: ['Rose Baker'], lost: [{ name: 'Rose Baker', type: 'Rose Baker', cell: 1, message: 'Rose Baker is lost' }], notes: ['Rose Baker'], ms: 5 };
    const words = { restored: report, again: ['Rose Baker'], unsaved: 'Rose Baker' };
    for (const seen of [lens.cell(cell(words), new Map()), lens.words(words)]) {
      expect(JSON.stringify(seen)).not.toMatch(/Rose|Baker/);
      expect(seen.restored).toMatchObject({ head: 2, variables: 9, lost: [{ cell: 1 }], ms: 5 });
    }
    expect(lens.cell(cell(), new Map())).not.toHaveProperty('unsaved');
  });

  test('what a kernel says in words of our own stays as it is', () => {
    const message = "The variable 'total' (sqlite3.Connection) was lost when the kernel was restored after cell 3: A database connection or cursor can't be saved; keep the rows, and connect in the cell that queries. Make it again before you use it.";
    const words = {
      restored: { head: 3, variables: 9, recomputed: ['total'], unproved: ['total'], lost: [{ name: 'total', type: 'sqlite3.Connection', cell: 3, message }], notes: ['The workspace could not be put back: the segment is cut.'], ms: 5 },
      again: ['The kernel died in this cell: killed by SIGSEGV (a segmentation fault in C code). It runs again from the state before it (run 2 of 3).'],
      unsaved: 'The state after this cell was not saved: the session has reached its disk limit. Delete what you no longer need.',
    };
    expect(lens.words(words)).toEqual(words);
    const traceback = `nl2code_guest.checkpoint.lost.VariableLost: ${message}`;
    expect(lens.cell(cell({ ended: 'error', error: { type: 'VariableLost', message, traceback } }), new Map()).error).toEqual({ type: 'VariableLost', message, traceback });
  });

  test('every text of a verification is masked, and a file keeps its name for people', () => {
    const seen = lens.verification(
      verification({ checks: [{ check: 'runs', state: 'failed', detail: 'Rose Baker' }], findings: [{ code: 'run-failed', message: 'Rose Baker 12', remedy: 'r', path: 'Rose Baker.csv' }], outputs: [{ path: 'Rose Baker.csv', bytes: 1, sha256: 'x', role: 'file' }], stdout: text('Rose Baker') }),
      'people = ["Rose Baker"]',
    );
    expect(JSON.stringify({ ...seen, outputs: seen.outputs.map(({ shown: name }) => name) })).not.toMatch(/Rose|Baker/);
    expect(seen.outputs[0]).toMatchObject({ path: 'Rose Baker.csv', shown: expect.stringMatching(/^‹name \w{5}›\.csv$/) as string });
    expect(seen.hidesScript).toBe(true);
  });
});

test('live text is handed on in whole lines, and the rest at the end', () => {
  const told: string[] = [];
  const live = new LiveText((stream, line) => told.push(`${stream} ${line}`));
  for (const piece of ['Ro', 'se\nBa', 'ker']) live.take('stdout', piece);
  live.take('stderr', 'x\n');
  live.end();
  expect(told).toEqual(['stdout Rose\n', 'stderr x\n', 'stdout Baker']);
});

test('a line without end is handed on at a blank', () => {
  const told: string[] = [];
  const live = new LiveText((_, line) => told.push(line));
  live.take('stdout', 'word '.repeat(2_000));
  expect(told.join('').endsWith(' ')).toBe(true);
});
