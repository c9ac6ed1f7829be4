import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkNode } from '../../src/cli/checks.js';
import { runProgram } from '../../src/cli/program.js';
import { createTerminal } from '../../src/cli/terminal.js';
import { packageRoot } from '../../src/config/package-root.js';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'nl2code-cli-'));
  writeFileSync(join(cwd, 'data.csv'), 'a\n1\n');
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

async function nl2code(argv: string[], { stdin = '', env = {} }: { stdin?: string; env?: Record<string, string> } = {}) {
  const written = { out: '', err: '' };
  const full = { HOME: cwd, NL2CODE_DATA_DIR: join(cwd, 'data'), ...env };
  const terminal = createTerminal({ stdin: {}, stdout: { write: (text) => (written.out += text) }, stderr: { write: (text) => (written.err += text) }, env: full });
  const code = await runProgram(argv, { terminal, env: full, cwd, stdin: Readable.from(stdin ? [stdin] : []), exitCode: 0 });
  return { code, ...written };
}

describe('a refusal is one sentence on stderr, exit code 64, and leaves nothing', () => {
  test.each<[string, string[], string]>([
    ['an empty prompt', ['run', ''], 'nl2code: The prompt is empty: say in a sentence what is to be done.\n'],
    ['an empty prompt from stdin', ['run', '-'], 'nl2code: The prompt is empty: say in a sentence what is to be done.\n'],
    ['a missing input', ['run', 'x', '--input', 'no.csv'], 'nl2code: The input "no.csv" does not exist: correct the path.\n'],
    ['a budget that is no number', ['run', 'x', '--max-steps', 'many'], 'nl2code: budget.maxSteps is NaN, which is not a whole number from 1 to 10,000: choose a value in these bounds.\n'],
    ['an approval that does not exist', ['run', 'x', '--approval', 'sometimes'], 'nl2code: The approval policy "sometimes" is not known: choose one of never, plan, every-cell, final.\n'],
    ['approval of a plan that is not made', ['run', 'x', '--approval', 'plan', '--strategy', 'react'], 'nl2code: The approval policy "plan" does not fit strategy react, which makes no plan: choose codeact or chained, or approval "final".\n'],
    ['an exposure that does not exist', ['run', 'x', '--exposure', 'some'], 'nl2code: The exposure "some" is not known: choose one of schema, masked, full.\n'],
    ['an exposure of what is no input', ['run', 'x', '--input-exposure', 'data.csv=schema'], 'nl2code: --input-exposure names "data.csv", which is no --input: give the path of one.\n'],
    ['an exposure of an input without a level', ['run', 'x', '-i', 'data.csv', '--input-exposure', 'data.csv'], "is invalid. give it as key=value.\n"],
    ['a label without a value', ['run', 'x', '--label', 'team'], "nl2code: option '--label <key=value>' argument 'team' is invalid. give it as key=value.\n"],
    ['--detach with --out', ['run', 'x', '--detach', '--out', 'o'], 'nl2code: --out and --detach contradict each other, nothing is there to write yet: leave one out, and use nl2code show --out later.\n'],
    ['--detach without an up', ['run', 'x', '--detach'], 'nl2code: --detach needs somebody who goes on with the session, and nobody serves this data directory: start nl2code up first, or leave --detach out.\n'],
    ['a place to write that is a file', ['run', 'x', '--out', 'data.csv/o'], 'nl2code: '],
    ['a decision that does not exist', ['decide', 's', 'maybe'], 'nl2code: The decision "maybe" is not known: choose approve, edit or reject.\n'],
    ['an unknown session', ['show', 'nope'], 'nl2code: There is no session "nope" in '],
    ['an unknown session to follow', ['logs', '-f', 'nope'], 'nl2code: There is no session "nope" in '],
    ['an unknown session to go on with', ['follow-up', 'nope', 'x'], 'nl2code: There is no session "nope" in '],
    ['an unknown session to stop', ['stop', 'nope'], 'nl2code: There is no session "nope" in '],
    ['an unknown option', ['run', 'x', '--inptu', 'y'], "nl2code: unknown option '--inptu' (Did you mean --input?)\n"],
    ['an unknown command', ['rnu'], "nl2code: unknown command 'rnu' (Did you mean run?)\n"],
    ['a missing argument', ['run'], "nl2code: missing required argument 'prompt'\n"],
    ['wrong configuration', ['list', '--task-queue', ' '], 'nl2code: --task-queue is " " (text), which is not text of at least one character;'],
  ])('%s', async (_what, argv, sentence) => {
    const { code, out, err } = await nl2code(argv);
    expect(err).toContain(sentence);
    expect(err.trimEnd().split('\n')).toHaveLength(1);
    expect({ code, out }).toEqual({ code: 64, out: '' });
    expect(readdirSync(cwd)).toEqual(['data.csv']);
  });

  test.each([['run', 'x'], ['up']])('a CA file that is gone, of %s, which speaks to the endpoint', async (...argv) => {
    const { code, err } = await nl2code(argv, { env: { OPENAI_BASE_URL: 'https://models.test/v1', SSL_CERT_FILE: 'gone.pem' } });
    expect({ code, err }).toEqual({ code: 64, err: `nl2code: The CA file ${join(cwd, 'gone.pem')} (from SSL_CERT_FILE) can't be read (ENOENT): correct the path or its permissions.\n` });
  });

  test('a prompt of one megabyte from stdin', async () => {
    const { code, err } = await nl2code(['run', '-'], { stdin: 'x'.repeat(1_000_000) });
    expect(code).toBe(64);
    expect(err).toContain('characters, more than the limit of 100,000');
  });
});

describe('before anything starts is refused, in one sentence,', () => {
  const refused = async (argv: string[], sentence: string, env: Record<string, string> = {}) => {
    const { code, out, err } = await nl2code(argv, { env });
    expect({ code, out, err }).toEqual({ code: 64, out: '', err: `nl2code: ${sentence}\n` });
  };
  const newer = () => {
    mkdirSync(join(cwd, 'data'));
    writeFileSync(join(cwd, 'data', 'version'), '2\n');
  };

  test.each([['run', 'x', '--isolation', 'none'], ['up'], ['list'], ['show', 's'], ['logs', 's']])('a data directory of a newer version, by %s', async (...argv) => {
    newer();
    await refused(argv, `The data directory ${join(cwd, 'data')} was written by a newer nl2code (its format is 2, this one knows 1). Use the version of nl2code that wrote this data directory, or another --data-dir.`);
    expect(readdirSync(join(cwd, 'data'))).toEqual(['version']);
  });

  test('a data directory that can not be written, by up', () =>
    refused(['up', '--data-dir', '/proc/nope'], "The data directory /proc/nope can't be written to (ENOENT). Give this user a folder it may write to, or name another with --data-dir."));

  test.each([
    ['--temporal-port', 'the Temporal server'],
    ['--ui-port', "the Temporal server's web page"],
  ])('a port in use, by up %s', async (option, what) => {
    const stranger = createServer().listen(0, '127.0.0.1');
    await once(stranger, 'listening');
    const { port } = stranger.address() as AddressInfo;
    try {
      await refused(['up', option, String(port)], `Port ${port}, wanted for ${what}, is used by another program. Stop the other program or choose another port; 0 takes any free one.`);
    } finally {
      stranger.close();
    }
  });

  test.each([
    ['a wrong key', ['run', 'x'], 401, /^nl2code: .*OPENAI_API_KEY.*\n$/],
    ['an unknown model', ['run', 'x', '--model', 'nope'], 200, /^nl2code: .*"nope".*known.*\n$/],
  ])('%s, by run', async (_what, argv, status, sentence) => {
    const endpoint = createHttpServer((_request, response) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(status === 200 ? { object: 'list', data: [{ id: 'known', object: 'model' }] } : { error: { message: 'no', code: 'invalid_api_key' } }));
    }).listen(0, '127.0.0.1');
    await once(endpoint, 'listening');
    try {
      const env = { OPENAI_BASE_URL: `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/v1`, OPENAI_API_KEY: 'wrong-key-123456789', NL2CODE_MODEL: 'known' };
      const { code, err } = await nl2code(argv, { env });
      expect(err).toMatch(sentence);
      expect(err).not.toContain('wrong-key');
      expect(code).toBe(64);
      expect(readdirSync(cwd)).toEqual(['data.csv']);
    } finally {
      endpoint.close();
    }
  });
});

describe('with --json stdout is one document', () => {
  test('for a refused request', async () => {
    const { code, out } = await nl2code(['run', '', '--json']);
    expect(code).toBe(64);
    expect(JSON.parse(out)).toEqual({ error: { code: 'bad-request', message: 'The prompt is empty: say in a sentence what is to be done.', retryable: false } });
  });
  test('for a wrong command line', async () => {
    const { code, out } = await nl2code(['run', 'x', '--json', '--nope']);
    expect(code).toBe(64);
    expect(JSON.parse(out)).toEqual({ error: { code: 'usage', message: "unknown option '--nope'" } });
  });
  test('for no sessions', async () => expect(await nl2code(['list', '--json'])).toEqual({ code: 0, out: '[]\n', err: '' }));
});

test('what a person mistyped can not move the cursor', async () => {
  const { err } = await nl2code(['show', '\u001b[2Jnope']);
  expect(err).not.toContain('\u001b');
});

test('help and version are answers', async () => {
  expect((await nl2code(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  const help = await nl2code(['run', '--help']);
  expect(help.code).toBe(0);
  expect(help.out).toContain('--idempotency-key <key>');
});

test('no sessions is no error', async () => {
  const { code, err } = await nl2code(['list']);
  expect(code).toBe(0);
  expect(err).toContain('start one with nl2code run');
  expect(existsSync(join(cwd, 'data'))).toBe(false);
});

test('a CA file that is gone keeps nobody from looking at sessions', async () => {
  const env = { OPENAI_BASE_URL: 'https://models.test/v1', SSL_CERT_FILE: 'gone.pem' };
  expect(await nl2code(['list', '--json'], { env })).toEqual({ code: 0, out: '[]\n', err: '' });
  expect((await nl2code(['show', 'nope'], { env })).err).toContain('There is no session "nope"');
});

test('doctor says what is missing and how to mend it', async () => {
  const { code, out } = await nl2code(['doctor', '--runtime-dir', join(cwd, 'nothing')], { env: { PATH: '' } });
  expect(code).toBe(1);
  expect(out).toMatch(/^✓ node +\d+/m);
  expect(out).toMatch(/^✗ python +there is no environment at .*nothing\/python: run nl2code setup$/m);
  expect(out).toMatch(/^✗ temporal +No Temporal dev server was found/m);
  expect(out).toMatch(/^✓ model +scripted/m);
  expect(out).toContain('The sandbox promises (process, isolation bubblewrap)');
});

test('doctor says that nothing isolates when that was asked for by name', async () => {
  const { out } = await nl2code(['doctor', '--isolation', 'none', '--runtime-dir', join(packageRoot(), '.runtime')]);
  expect(out).toMatch(/^✓ sandbox +process: Isolation is none: generated code runs as your user with the network and your files$/m);
  expect(out).toContain('The sandbox promises (process, isolation none)');
});

test.each([
  ['18.20.4', false, '18.20.4 is too old: install Node 20.19 or newer'],
  ['20.18.9', false, '20.18.9 is too old: install Node 20.19 or newer'],
  ['20.19.0', true, '20.19.0'],
  ['24.1.0', true, '24.1.0'],
])('doctor judges Node %s', (version, ok, detail) => expect(checkNode(version)).toEqual({ name: 'node', ok, detail }));
