import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AcceptanceCheck } from '../../src/session/acceptance-check.js';
import { statement } from '../../src/verification/statement.js';
import { BODY_LINE, codes, errors, scriptOf, states, VerificationRoom } from './verification-room.js';

let room: VerificationRoom;
beforeAll(() => {
  room = new VerificationRoom();
});
afterAll(() => room.close());

const GOOD = scriptOf(`import csv\nrows = list(csv.DictReader(open('in.csv')))\nopen('out.csv', 'w').write('id,y\\n' + ''.join(f"{r['id']},{float(r['x']) * 2}\\n" for r in rows))\nprint('done')`);

test('a good script is verified, its outputs are kept and its sandboxes are gone', async () => {
  const progress: string[] = [];
  const seen = await room.verify(GOOD, { outputs: ['out.csv'], onProgress: ({ check, state }) => progress.push(`${check} ${state}`) });
  expect(seen).toMatchObject({ kind: 'verification', ok: true, findings: [], isolation: 'bubblewrap', stdout: { text: 'done\n', omitted: 0 } });
  expect(states(seen)).toEqual({ parses: 'passed', main: 'passed', credentials: 'passed', plain: 'passed', calls: 'passed', runs: 'passed', outputs: 'passed', repeats: 'passed', 'bad input': 'passed' });
  expect(progress).toEqual(seen.checks.map(({ check, state }) => `${check} ${state}`));
  expect(seen.outputs).toMatchObject([{ path: 'out.csv', role: 'output', bytes: 17 }]);
  expect(room.kept.get(seen.outputs[0]!.sha256)!.toString()).toBe('id,y\n1,1.0\n2,0.5\n');
  expect(statement(seen)).toBe('runs and repeats; nobody checked the answer');
  expect(room.started).toBe(4);
  expect(room.alive).toBe(0);
});

test('what was submitted and is no file is a finding, and nothing is started', async () => {
  const before = room.started;
  const seen = await room.verify(null);
  expect(codes(seen)).toEqual(['script-missing']);
  expect(seen.checks.slice(1).every(({ state, detail }) => state === 'not-run' && detail === 'there is no script')).toBe(true);
  expect(room.started).toBe(before);
});

test('a script that does not parse is not run, and the line is named', async () => {
  const seen = await room.verify('import os\nopen("ran", "w"\n');
  expect(seen.findings).toMatchObject([{ code: 'syntax-error', line: 2 }]);
  expect(seen.checks.slice(1).map(({ state, detail }) => `${state}: ${detail}`)).toEqual(Array(8).fill('not-run: the script does not parse'));
  expect(seen.outputs).toEqual([]);
});

test('a script without main() and with a credential is found out and the secret is never repeated', async () => {
  const seen = await room.verify('password = "hunter2-hunter2"\nopen("o.txt", "w").write("x")\n', { outputs: ['o.txt'] });
  expect(seen.findings).toMatchObject([{ code: 'no-main' }, { code: 'credentials', line: 1 }, { code: 'no-header', severity: 'warning' }, { code: 'bad-input-unclear' }]);
  expect(JSON.stringify(seen)).not.toContain('hunter2');
  expect(states(seen)).toEqual({ parses: 'passed', main: 'failed', credentials: 'failed', plain: 'passed', calls: 'passed', runs: 'passed', outputs: 'passed', repeats: 'passed', 'bad input': 'passed' });
  expect(seen.ok).toBe(false);
});

test('a call that can not succeed is found before anything runs, with what was meant', async () => {
  const seen = await room.verify(scriptOf("open('o.txt', 'w').write(str(np.zero(3)))\nframe = pd.DataFrame({'a': [1]})\nframe.iteritems()\nframe.sort_values('a', reverse=True)", 'import numpy as np\nimport pandas as pd\n'), { outputs: ['o.txt'] });
  expect(errors(seen).map(({ code, line }) => `${code} ${line}`)).toEqual(['unknown-call 7', 'unknown-call 9', 'wrong-arguments 10']);
  expect(errors(seen)[0]!.remedy).toMatch(/^Did you mean zeros.* zeros\(shape, dtype=None/);
  expect(states(seen)).toMatchObject({ credentials: 'passed', calls: 'failed', runs: 'not-run', repeats: 'not-run' });
  expect(seen.outputs).toEqual([]);
});

test('a script that reads the clock is not verified, and the lines are named', async () => {
  const seen = await room.verify(scriptOf("today = datetime.date.today()\nopen('o.txt', 'w').write('x')", 'import datetime\n'), { outputs: ['o.txt'] });
  expect(seen.findings).toMatchObject([{ code: 'reads-clock', line: BODY_LINE + 1 }]);
  expect(seen.findings[0]!.remedy).toContain('--as-of');
  expect(states(seen)).toMatchObject({ plain: 'failed', runs: 'passed', repeats: 'passed' });
  expect(seen.ok).toBe(false);
});

test('a script that is not plain is warned of, and verified all the same', async () => {
  const seen = await room.verify("def main():\n    open('o.txt', 'w').write(open('in.csv').read())\n    return 0\n\n\nmain()\n", { outputs: ['o.txt'] });
  expect(seen.findings.map(({ code, severity }) => `${severity} ${code}`)).toEqual(['warning no-header', 'warning exit-code-lost', 'warning bad-input-unclear']);
  expect(seen.findings[0]!.remedy).toMatch(/^Start the script with:\n# \/\/\/ script\n# requires-python = ">=3\.\d+"\n# dependencies = \[\]\n# \/\/\/$/);
  expect(seen.findings[2]!.message).toBe('Without its input files the script ended with a traceback.');
  expect(states(seen)).toMatchObject({ plain: 'passed', 'bad input': 'passed' });
  expect(seen.ok).toBe(true);
});

test.each([
  ['ended with exit code 0', 'sys.exit(0)'],
  ['said nothing on stderr', 'sys.exit(2)'],
  ['printed 4 lines', "sys.exit('a\\nb\\nc\\nd')"],
])('without its inputs a script that %s is warned of', async (said, refusal) => {
  const seen = await room.verify(scriptOf(`pass`).replace("'in.csv: no such file'", refusal), {});
  expect(seen.findings).toMatchObject([{ code: 'bad-input-unclear', severity: 'warning' }]);
  expect(seen.findings[0]!.message).toContain(said);
});

test('a script that raises shows its own lines and the error', async () => {
  const seen = await room.verify(scriptOf("import json\njson.loads('{')"), { outputs: ['o.txt'] });
  expect(seen.findings).toMatchObject([{ code: 'run-failed', line: BODY_LINE + 1 }]);
  expect(seen.findings[0]!.message).toContain("json.loads('{')");
  expect(seen.findings[0]!.message).not.toContain('decoder.py');
  expect(states(seen)).toMatchObject({ runs: 'failed', outputs: 'not-run', repeats: 'not-run' });
  expect(statement(seen)).toBe('does not run; nobody checked the answer');
});

test('a script that runs too long is stopped and says where it stood', async () => {
  const seen = await room.verify(scriptOf('import time\ntime.sleep(60)'), { scriptTimeoutMs: 500 });
  expect(seen.findings).toMatchObject([{ code: 'run-timeout', line: BODY_LINE + 1, message: `The script did not end within 0.5 s; it stood at line ${BODY_LINE + 1}.` }]);
  expect(seen.ms).toBeLessThan(10_000);
});

test('a promised output that is not written is a finding that says what was written instead', async () => {
  const seen = await room.verify(scriptOf("open('result.csv', 'w').write('a\\n1\\n')\nopen('empty.txt', 'w')"), { outputs: ['results.csv', 'empty.txt', '../x.csv'] });
  expect(codes(seen)).toEqual(['output-missing', 'output-missing', 'output-missing']);
  expect(seen.findings[0]!.message).toBe('"results.csv" was promised, but not written; the script wrote "result.csv".');
  expect(seen.findings[1]!.message).toBe('"empty.txt" was promised, but it is empty.');
  expect(seen.findings[2]!.message).toContain('does not lie in the current directory');
  expect(states(seen)).toMatchObject({ runs: 'passed', outputs: 'failed', repeats: 'not-run' });
});

test('an output in a folder is an output, whatever its name', async () => {
  const name = 'out/a "b" é\\n.txt';
  const seen = await room.verify(scriptOf(`import os\nos.mkdir('out')\nopen(${JSON.stringify(name)}, 'w').write('x')`), { outputs: [`./${name}`] });
  expect(seen.findings).toEqual([]);
  expect(seen.outputs).toMatchObject([{ path: name, role: 'output', bytes: 1 }]);
});

test('one differing cell names file, column and row, and the second run is the later one', async () => {
  const seen = await room.verify(scriptOf("time = __import__('time')\nopen('o.csv', 'w').write(f'id,at\\n1,0\\n2,{time.time_ns()}\\n')"), { outputs: ['o.csv'] });
  expect(seen.findings).toMatchObject([{ code: 'output-differs', path: 'o.csv' }]);
  const [, first, second] = /'o\.csv' differs between two runs: column 'at', row 2: '(\d+)' in the first run, '(\d+)' in the second\./.exec(seen.findings[0]!.message)!;
  expect(Number(second)).toBeGreaterThan(Number(first));
  expect(states(seen)).toMatchObject({ outputs: 'passed', repeats: 'failed' });
});

test('the order of a set and unseeded random numbers are caught, noise in the last digits is not', async () => {
  const body = `import random\nrows = {f'user-{i}' for i in range(50)}\nopen('set.csv', 'w').write('id\\n' + '\\n'.join(rows))
open('random.json', 'w').write(str(random.random()))\nopen('noise.csv', 'w').write(f'x\\n{0.5 * (1 + random.random() * 1e-12):.17g}\\n')`;
  const seen = await room.verify(scriptOf(body), { outputs: ['noise.csv'] });
  expect(seen.findings.map(({ code, path }) => `${code} ${path}`)).toEqual(['output-differs random.json', 'output-differs set.csv']);
});

test('an output that can not be read as what its name says is a finding', async () => {
  const seen = await room.verify(scriptOf("open('o.parquet', 'wb').write(b'PAR1 no PAR1')"), { outputs: ['o.parquet'] });
  expect(seen.findings).toMatchObject([{ code: 'output-unreadable', path: 'o.parquet' }]);
});

test('the same pixels with other metadata are the same image', async () => {
  const body = `time = __import__('time')\nfrom PIL import Image, PngImagePlugin\nnote = PngImagePlugin.PngInfo()\nnote.add_text('t', str(time.time()))\nImage.new('RGB', (9, 9), 'red').save('p.png', pnginfo=note)`;
  const seen = await room.verify(scriptOf(body), { outputs: ['p.png'] });
  expect(codes(seen)).toEqual(['no-header']);
  expect(seen.ok).toBe(true);
});

test('pack checks see inputs, outputs and truth, and their results are checks of their own', async () => {
  const check = `import pathlib\ndef run(ctx):
    truth = (ctx.truth / 't.txt').read_text()
    got = (ctx.outputs / 'o.txt').read_text()
    return [
        {'name': 'answer', 'ok': got == truth, 'detail': 'as planted', 'path': 'o.txt'},
        {'name': 'inputs', 'ok': sorted(p.name for p in ctx.inputs.iterdir()) == ['in.csv'], 'detail': ''},
        {'name': 'declared', 'ok': ctx.declared == ('o.txt',), 'detail': ''},
        {'name': 'later', 'ok': None, 'detail': 'no data for it'},
    ]\n`;
  const truth = { 't.txt': '42' };
  const right = await room.verify(scriptOf("open('o.txt', 'w').write('42')"), { outputs: ['o.txt'], checks: { one: check }, truth });
  expect(right.ok).toBe(true);
  expect(statement(right)).toBe('runs, repeats, pack checks 3/4');
  expect(states(right)).toMatchObject({ 'pack:answer': 'passed', 'pack:inputs': 'passed', 'pack:declared': 'passed', 'pack:later': 'not-run' });

  const wrong = await room.verify(scriptOf("open('o.txt', 'w').write('41')"), { outputs: ['o.txt'], checks: { one: check }, truth });
  expect(wrong.findings).toMatchObject([{ code: 'pack-check-failed', message: 'answer: as planted', path: 'o.txt' }]);
  expect(statement(wrong)).toBe('runs, repeats, pack checks 2/4');
});

test('what a request agreed on is checked over what the script wrote: kept, broken with what was found, or not run', async () => {
  const script = scriptOf("open('o.csv', 'w').write('id,score\\n1,0.5\\n9,nan\\n')");
  const agreed: AcceptanceCheck[] = [
    { kind: 'rows', output: 'o.csv', equals: 2 },
    { kind: 'numbers', output: 'o.csv', column: 'score' },
    { kind: 'within', output: 'o.csv', column: 'id', input: 'in.csv', inputColumn: 'user' },
    { kind: 'rows', output: '../in.csv', equals: 2 },
  ];
  const seen = await room.verify(script, { outputs: ['o.csv'], agreed });
  expect(states(seen)).toMatchObject({ repeats: 'passed', 'request:1': 'passed', 'request:2': 'failed', 'request:3': 'not-run', 'request:4': 'failed' });
  expect(seen.ok).toBe(false);
  expect(seen.findings[0]).toMatchObject({ code: 'request-check-failed', message: 'The output must keep "o.csv: score always a finite number"; found: 1 of 2 values are empty or not finite.', path: 'o.csv' });
  expect(seen.checks.find(({ check }) => check === 'request:3')!.detail).toContain("the input in.csv has no column 'user'; it has ['id', 'x']");
  expect(statement(seen)).toBe('runs, repeats, request checks 1/4');
});

test('a check that breaks is never a pass, one that lacks its truth is not run', async () => {
  const script = scriptOf("open('o.txt', 'w').write('42')");
  const broken = await room.verify(script, { outputs: ['o.txt'], checks: { raises: "def run(ctx):\n    raise KeyError('score')\n", dies: 'import os\ndef run(ctx):\n    os._exit(0)\n', says: "def run(ctx):\n    print('nl2code')\n    return [{'name': 'fine', 'ok': True, 'detail': ''}]\n" } });
  expect(codes(broken)).toEqual(['check-broken', 'check-broken']);
  expect(broken.findings[0]!.message).toContain("KeyError: 'score' (raises.py, line 2)");
  expect(states(broken)).toMatchObject({ repeats: 'passed', 'pack:raises': 'failed', 'pack:dies': 'failed', 'pack:fine': 'passed' });

  const lacking = await room.verify(script, { outputs: ['o.txt'], truthNeeded: 'required', checks: { one: "def run(ctx):\n    return [{'name': 'x', 'ok': True, 'detail': ''}]\n" } });
  expect(states(lacking)).toMatchObject({ 'pack:one': 'not-run' });
  expect(lacking.ok).toBe(true);
  expect(statement(lacking)).toBe('runs and repeats; nobody checked the answer');
});

test('without isolation the same checks hold, and the statement says so', async () => {
  const check = `def run(ctx):\n    same = (ctx.outputs / 'o.txt').read_text() == (ctx.truth / 't.txt').read_text() == '42'\n    return [{'name': 'answer', 'ok': same and (ctx.inputs / 'in.csv').exists(), 'detail': ''}]\n`;
  const seen = await room.verify(scriptOf("open('o.txt', 'w').write('42')\nopen('set.txt', 'w').write(str({f'{i}' for i in range(50)}))"), { isolation: 'none', outputs: ['o.txt'], truth: { 't.txt': '42' }, checks: { one: check } });
  expect(seen.findings.map(({ code, path }) => `${code} ${path}`)).toEqual(['output-differs set.txt']);
  expect(seen.isolation).toBe('none');
  expect(statement(seen)).toBe('runs, does not repeat, pack checks 1/1; isolation: none');
});

test('an abort ends the sandboxes and is thrown quickly', async () => {
  const stop = new AbortController();
  const started = room.started;
  const verifying = room.verify(scriptOf('import time\ntime.sleep(60)'), { signal: stop.signal, onProgress: ({ check }) => check === 'credentials' && setTimeout(() => stop.abort(), 200) });
  const before = performance.now();
  await expect(verifying).rejects.toMatchObject({ name: 'AbortError' });
  expect(performance.now() - before).toBeLessThan(6_000);
  expect(room.started).toBeGreaterThanOrEqual(started + 2);
  expect(room.alive).toBe(0);
});
