import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findTemporalExecutable } from '../../src/embedded/temporal-executable.js';
import { identityOf, isAlive, type ProcessIdentity } from '../../src/embedded/process-identity.js';
import type { HostRecord } from '../../src/embedded/host-record.js';
import type { Result } from '../../src/session/result.js';
import { answers } from '../embedded/host-room.js';
import { children } from '../rig/processes.js';
import { PLAYBOOKS, ROOT } from '../rig/in-process.js';

const SLOW = 120_000;

let room: string;
let home: string;
let packs: string;
/** Every process the command had, directly or not; a sandbox's are found through its supervisor. */
let seen: Map<number, ProcessIdentity>;
let host: HostRecord | null;
beforeEach(() => {
  room = mkdtempSync(join(tmpdir(), 'nl2code-cron-'));
  home = join(room, 'home');
  packs = join(room, 'packs');
  mkdirSync(home);
  mkdirSync(join(room, 'bin'));
  symlinkSync(join(ROOT, 'dist', 'cli.js'), join(room, 'bin', 'nl2code'));
  symlinkSync(findTemporalExecutable(join(ROOT, '.runtime')), join(room, 'bin', 'temporal'));
  mkdirSync(join(packs, 'rig'), { recursive: true });
  writeFileSync(join(packs, 'rig', 'pack.yaml'), 'name: rig\n');
  cpSync(PLAYBOOKS, join(packs, 'rig', 'playbooks'), { recursive: true });
  seen = new Map();
  host = null;
});
afterEach(() => {
  for (const each of seen.values()) if (isAlive(each)) process.kill(each.pid, 'SIGKILL');
  rmSync(room, { recursive: true, force: true });
});

const data = () => join(home, '.local', 'share', 'nl2code');

function watch(pid: number): void {
  const identity = identityOf(pid);
  if (identity !== null) seen.set(pid, identity);
}

/** Writes down who runs now: what the host and the sandboxes say of themselves, and everybody below. */
function look(run: number): void {
  watch(run);
  const record = json<HostRecord>(join(data(), 'host.json'));
  if (record !== null) host = record;
  for (const pid of record === null ? [] : [record.pid, ...record.children.map((child) => child.pid)]) watch(pid);
  const sessions = join(data(), 'sessions');
  for (const name of existsSync(sessions) ? readdirSync(sessions) : []) {
    const state = json<{ pid: number; childPid: number | null }>(join(sessions, name, 'sandbox', 'run', 'state.json'));
    if (state !== null) watch(state.pid);
  }
  for (const each of seen.values()) if (isAlive(each)) for (const child of children(each.pid)) watch(child);
}

/** What a file holds, or null when it is gone. */
function json<T>(path: string): T | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch {
    return null;
  }
}

/** A command as cron starts it: two variables, no terminal, no standard input at all, in the home folder. */
async function fromCron(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const path = [join(room, 'bin'), dirname(process.execPath), '/usr/bin', '/bin'].join(delimiter);
  const child = spawn('/usr/bin/env', ['-i', `PATH=${path}`, `HOME=${home}`, '/bin/sh', '-c', 'exec nl2code "$@" <&-', 'nl2code', ...args], { cwd: home, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const looking = setInterval(() => look(child.pid!), 25);
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  clearInterval(looking);
  return { code, out, err };
}

const survivors = () => [...seen.values()].filter(isAlive).map(({ pid }) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '));

test('a run from cron prints one document, no colours and no live lines, and leaves no process', { timeout: SLOW }, async () => {
  const { code, out, err } = await fromCron('run', 'Write the quick numbers.', '--packs', packs, '--output', 'numbers.txt', '--out', 'result', '--json');
  expect(code, err).toBe(0);
  const result = JSON.parse(out) as Result & { files: string[] };
  expect(result).toMatchObject({ status: 'verified', scripted: true });
  expect(result.files).toContain(join(home, 'result', 'numbers.txt'));
  // Whole lines of plain text; a line that is drawn again begins with a carriage return or an escape.
  expect(err).not.toMatch(/[^\P{Cc}\n]/u);
  expect(err).toMatch(/^session \S+\n/);
  expect(readFileSync(join(home, 'result', 'numbers.txt'), 'utf8')).toBe('15\n');
  // The command, its host, server, model, worker, and a sandbox's supervisor and processes.
  expect(seen.size).toBeGreaterThanOrEqual(8);
  await expect.poll(survivors, { timeout: 5000 }).toEqual([]);
  expect(host).not.toBeNull();
  expect(await answers(host!.address)).toBe(false);
  expect(existsSync(join(data(), 'host.json'))).toBe(false);
});

test('a run that can pay for no further call stops with what it has, and says what was spent', { timeout: SLOW }, async () => {
  // A call reserves a dollar and costs some cents: the plan and the first cell fit, the third call does not.
  writeFileSync(join(home, 'nl2code.config.yaml'), 'model: { maxOutputTokens: 1000 }\nprices: { scripted: { prompt: 0, completion: 1000 } }\n');
  const { code, out, err } = await fromCron('run', 'Write the quick numbers.', '--packs', packs, '--max-cost-usd', '1.01', '--out', 'result', '--json');
  expect(code, err).toBe(4);
  const result = JSON.parse(out) as Result & { files: string[] };
  expect(result).toMatchObject({ status: 'stopped', script: null, steps: 4, spent: { calls: 2, lostCalls: 0 } });
  expect(result.spent.costUsd).toBeGreaterThan(0.01);
  expect(result.spent.costUsd).toBeCloseTo(result.spent.completionTokens / 1000, 9);
  expect(result.reason).toBe(`budget: $${result.spent.costUsd.toFixed(4)} of $1.01 are spent and the next call may cost $1.0000. Raise --max-steps, --max-tokens or --max-cost-usd and send the request again.`);
  expect(readFileSync(join(home, 'result', 'numbers.py'), 'utf8')).toContain('NUMBER = 15');
  const kinds = readFileSync(join(home, 'result', 'trace.jsonl'), 'utf8').trim().split('\n').map((line) => (JSON.parse(line) as { kind: string }).kind);
  expect(kinds).toEqual(['open', 'execute', 'plan', 'code', 'execute', 'close']);
  await expect.poll(survivors, { timeout: 5000 }).toEqual([]);
});
