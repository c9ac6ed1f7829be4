import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { packageRoot } from '../../src/config/package-root.js';

const CLI = join(packageRoot(), 'dist', 'cli.js');

let cwd: string;
let data: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'nl2code-machine-'));
  data = join(cwd, 'data');
  mkdirSync(data, { mode: 0o700 });
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

const env = () => ({ PATH: process.env.PATH, HOME: cwd, NL2CODE_DATA_DIR: data });

function ended(command: string, args: string[]): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, env: env(), encoding: 'utf8', timeout: 30_000 });
  return { code: status, out: stdout, err: stderr };
}

/** The command in a process that sees the disk through the given mounts: root is stopped by a mount, not by file modes. */
const behind = (mounts: string[], ...argv: string[]) => ended('bwrap', ['--dev-bind', '/', '/', ...mounts, '--', process.execPath, CLI, ...argv]);
// Isolation is looked at before the data directory, and a sandbox in a sandbox is not what these tests are about.
const run = ['run', 'count the rows', '--isolation', 'none'];

describe('a data directory', () => {
  const readOnly = () => ['--ro-bind', data, data];

  test('that is read-only is refused by run', () =>
    expect(behind(readOnly(), ...run)).toEqual({ code: 64, out: '', err: `nl2code: The data directory ${data} can't be written to (EROFS). Give this user a folder it may write to, or name another with --data-dir.\n` }));

  test('that is read-only is refused by up', () => expect(behind(readOnly(), 'up')).toMatchObject({ code: 64, out: '', err: expect.stringContaining("can't be written to (EROFS)") as string }));

  test('that is read-only can be looked at', () => expect(behind(readOnly(), 'list', '--json')).toEqual({ code: 0, out: '[]\n', err: '' }));

  test('that is full is refused by run, with a code that says to try again', () => {
    const { code, out, err } = behind(['--size', '65536', '--tmpfs', data], ...run, '--json');
    expect({ code, err }).toEqual({ code: 1, err: '' });
    expect(JSON.parse(out)).toEqual({ error: { code: 'store-full', message: `The data directory ${data} has no space left. Free space in the data directory.`, retryable: true } });
  });
});

describe('a Node that is too old', () => {
  const onOldNode = (...argv: string[]) => {
    const fake = join(cwd, 'old.cjs');
    writeFileSync(fake, "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.18.3' } });");
    return ended(process.execPath, ['--require', fake, CLI, ...argv]);
  };
  const message = `Node 20.18.3 is too old: install Node 20.19 or newer (this one is ${process.execPath}).`;

  test('is named with the remedy by every command', () => {
    for (const argv of [['run', 'x'], ['up'], ['list'], []]) expect(onOldNode(...argv)).toEqual({ code: 64, out: '', err: `nl2code: ${message}\n` });
    expect(readdirSync(data)).toEqual([]);
  });

  test('is one document with --json', () => {
    const { code, out, err } = onOldNode('run', 'x', '--json');
    expect({ code, err, said: JSON.parse(out) as unknown }).toEqual({ code: 64, err: '', said: { error: { code: 'not-set-up', message, retryable: false } } });
  });
});

describe('a Python that is too old', () => {
  let runtime: string;
  beforeEach(() => {
    runtime = join(cwd, 'runtime');
    const venv = join(runtime, 'python');
    mkdirSync(join(venv, 'bin'), { recursive: true });
    // What an environment of that version says of itself when it is asked, and when it is read.
    writeFileSync(join(venv, 'bin', 'python3'), '#!/bin/sh\necho 3.9.18 with pandas 2.0.0\n', { mode: 0o755 });
    writeFileSync(join(venv, 'pyvenv.cfg'), 'home = /usr/bin\nversion = 3.9.18\n');
  });

  test('is refused by run before anything starts', () => {
    const sentence = `nl2code: The Python environment at ${join(runtime, 'python')} can't be used, Python 3.9.18 is too old: install Python 3.11 or newer and run npm run setup.`;
    expect(ended(process.execPath, [CLI, 'run', 'x', '--runtime-dir', runtime])).toEqual({ code: 64, out: '', err: `${sentence} Run nl2code doctor; it says what to install.\n` });
    expect(readdirSync(data)).toEqual([]);
  });

  test('is named by doctor', () => {
    const { code, out } = ended(process.execPath, [CLI, 'doctor', '--runtime-dir', runtime]);
    expect(code).toBe(1);
    expect(out).toMatch(/^✗ python +3\.9\.18 is too old: install Python 3\.11 or newer and run nl2code setup$/m);
  });
});
