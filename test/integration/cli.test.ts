import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HostRecord } from '../../src/embedded/host-record.js';
import { packageRoot } from '../../src/config/package-root.js';

const CLI = join(packageRoot(), 'dist', 'cli.js');
const SLOW = 120_000;

let cwd: string;
let data: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'nl2code-run-'));
  data = join(cwd, 'data');
  mkdirSync(join(cwd, 'packs', 'rig'), { recursive: true });
  writeFileSync(join(cwd, 'packs', 'rig', 'pack.yaml'), 'name: rig\n');
  cpSync(join(import.meta.dirname, '..', 'rig', 'playbooks'), join(cwd, 'packs', 'rig', 'playbooks'), { recursive: true });
  writeFileSync(join(cwd, 'editor.sh'), "#!/bin/sh\nsed -i 's/NUMBER = 15/NUMBER = 16/' \"$1\"\n", { mode: 0o755 });
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

interface Ended {
  code: number | null;
  out: string;
  err: string;
}

function start(command: string, args: string[]): { child: ChildProcess; ended: Promise<Ended>; seen(pattern: RegExp): Promise<void> } {
  const { OPENAI_API_KEY: _key, OPENAI_BASE_URL: _url, ...inherited } = process.env;
  const env = { ...inherited, HOME: cwd, NL2CODE_DATA_DIR: data, EDITOR: join(cwd, 'editor.sh') };
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const written = { out: '', err: '' };
  let look = () => undefined as void;
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    written.out += text;
    look();
  });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    written.err += text;
    look();
  });
  const ended = new Promise<Ended>((resolve) => child.on('close', (code) => resolve({ code, ...written })));
  const seen = (pattern: RegExp) =>
    new Promise<void>((resolve, reject) => {
      look = () => {
        if (pattern.test(written.out + written.err)) resolve();
      };
      look();
      void ended.then(() => reject(new Error(`ended before ${pattern} was seen:\n${written.out}${written.err}`)));
    });
  return { child, ended, seen };
}

const nl2code = (...args: string[]) => start(process.execPath, [CLI, ...args]);
const onTerminal = (steps: [pattern: string, keys: string][], ...args: string[]) =>
  start('python3', [join(import.meta.dirname, 'terminal_rig.py'), JSON.stringify(steps), process.execPath, CLI, ...args]).ended;

/** The one JSON document a command printed. */
async function document<T>(...args: string[]): Promise<T> {
  const { code, out, err } = await nl2code(...args).ended;
  if (!out) throw new Error(`nl2code ${args.join(' ')} printed nothing and ended with ${code}: ${err}`);
  return JSON.parse(out) as T;
}

/** A process that has ended stays in the table until its parent asks for it. */
function alive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

const host = () => JSON.parse(readFileSync(join(data, 'host.json'), 'utf8')) as HostRecord;
const sandboxPids = () =>
  readdirSync(join(data, 'sessions')).flatMap((name) => {
    const path = join(data, 'sessions', name, 'sandbox', 'run', 'state.json');
    if (!existsSync(path)) return [];
    const { pid, childPid } = JSON.parse(readFileSync(path, 'utf8')) as { pid: number; childPid: number | null };
    return [pid, ...(childPid === null ? [] : [childPid])];
  });

describe('run without an up', () => {
  test('that is told to end stops its session and leaves no process', { timeout: SLOW }, async () => {
    const run = nl2code('run', 'write the numbers', '--json');
    await run.seen(/ 4 cell/);
    const served = [host().pid, ...host().children.map(({ pid }) => pid)];
    expect(served.length).toBeGreaterThanOrEqual(4);
    expect(served.filter(alive)).toEqual(served);
    run.child.kill('SIGTERM');
    const { code, out } = await run.ended;
    expect(code).toBe(4);
    expect(JSON.parse(out)).toMatchObject({ status: 'stopped', reason: 'stopped by a person' });
    await expect.poll(() => [...served, ...sandboxPids()].filter(alive), { timeout: 5000 }).toEqual([]);
  });

  test('on a terminal shows the script, runs what the person makes of it, and says so', { timeout: SLOW }, async () => {
    const { code, out } = await onTerminal([['show the whole\\? ', 'e\r'], ['run this instead\\? ', 'y\r']], 'run', 'quick numbers', '--approval', 'final', '--out', 'out');
    expect(out).toContain('- NUMBER = 15');
    expect(out).toContain('+ NUMBER = 16');
    expect(out).toMatch(/decision +edit by unauthenticated:/);
    expect(code).toBe(0);
    expect(readFileSync(join(cwd, 'out', 'numbers.txt'), 'utf8')).toBe('16\n');
    expect(readFileSync(join(cwd, 'out', 'numbers.py'), 'utf8')).toContain('NUMBER = 16');
  });

  test('asks at Ctrl-C whether to stop or detach, and stops at the second', { timeout: SLOW }, async () => {
    const { code, out } = await onTerminal([[' 4 cell', '\u0003'], ['\\[s/d/g\\] ', '\u0003']], 'run', 'write the numbers');
    expect(out).toContain('stop the session, detach from it, or go on?');
    expect(out).toContain('STOPPED');
    expect(code).toBe(4);
    expect(existsSync(join(data, 'host.json'))).toBe(false);
    expect(sandboxPids().filter(alive)).toEqual([]);
  });
});

describe('with an up', () => {
  let up: ReturnType<typeof nl2code>;
  beforeAll(async () => {
    up = nl2code('up');
    await up.seen(/nl2code serves/);
  }, SLOW);
  afterAll(async () => {
    up.child.kill('SIGTERM');
    expect((await up.ended).code).toBe(0);
  }, SLOW);

  const waiting = async (session: string) => {
    for (;;) {
      const { proposal } = await document<{ proposal?: string | null }>('show', session, '--json');
      if (proposal) return proposal;
      await delay(200);
    }
  };

  test('a request that the scripted model can not play is refused before anything starts, and the way out is named', { timeout: SLOW }, async () => {
    const { code, out } = await nl2code('run', 'Forecast the sales of next year.', '--json').ended;
    expect(code).toBe(64);
    expect((JSON.parse(out) as { error: { code: string; message: string } }).error).toMatchObject({ code: 'playbook-mismatch', message: expect.stringContaining('OPENAI_BASE_URL') as string });
    const sessions = await document<{ prompt: string }[]>('list', '--json');
    expect(sessions.map(({ prompt }) => prompt)).not.toContain('Forecast the sales of next year.');
  });

  test('a detached session waits, is shown, decided, followed and listed', { timeout: SLOW }, async () => {
    const detached = await nl2code('run', 'quick numbers', '--approval', 'final', '--detach').ended;
    expect(detached).toMatchObject({ code: 0, err: '' });
    const session = detached.out.trim();
    const proposal = await waiting(session);
    expect((await nl2code('show', session, '--code').ended).out).toContain('NUMBER = 15');
    const stale = await nl2code('decide', session, 'approve', '--proposal', 'another').ended;
    expect(stale.code).toBe(64);
    expect(stale.err).toContain('This is not the proposal that waits now');
    expect(await nl2code('decide', session, 'approve', '--proposal', proposal).ended).toEqual({ code: 0, out: 'approve: taken\n', err: '' });
    const again = await nl2code('decide', session, 'reject', '--proposal', proposal).ended;
    expect(again.code).toBe(64);
    const logs = await nl2code('logs', '-f', session).ended;
    expect(logs.code).toBe(0);
    expect(logs.err).toContain('ended verified');
    const result = await document('show', session, '--json');
    expect(result).toMatchObject({ status: 'verified', decisions: [{ kind: 'approve', actor: expect.stringMatching(/^unauthenticated:/) as string }] });
    const [newest] = await document<unknown[]>('list', '--json');
    expect(newest).toMatchObject({ session, state: 'verified' });
    expect((await nl2code('show', session, '--trace').ended).out.trim().split('\n').length).toBeGreaterThan(5);
  });

  test('a plan is asked about on a terminal, its questions by one key, and the result says what was assumed, asked and checked', { timeout: SLOW }, async () => {
    const { code, out } = await onTerminal([['show the whole\\? ', 'a\r'], ['empty: 3\\): ', '2\r']], 'run', 'agreed table', '--approval', 'plan');
    for (const shown of ['Assumed  • a row is a number', 'Asks     q1  How many rows?', 'Checks   table.csv: at least 3 rows · n never repeats   (frozen)']) expect(out).toContain(shown);
    expect(out).toMatch(/asked +• How many rows\? 4 \(unauthenticated:/);
    expect(out).toMatch(/checked +✓ table\.csv: at least 3 rows/);
    expect(out).toContain('request 2/2');
    expect(code).toBe(0);
  });

  test('a plan that waits is shown, and decisions that do not fit it are refused with a sentence', { timeout: SLOW }, async () => {
    const session = (await nl2code('run', 'agreed table', '--approval', 'plan', '--detach').ended).out.trim();
    await waiting(session);
    expect((await nl2code('show', session).ended).out).toMatch(/Plan {5}1\. Write the table[^]*The plan waits for a decision: [^]*approve --answer q1=TEXT/);
    expect(JSON.parse((await nl2code('show', session, '--code').ended).out)).toMatchObject({ questions: [{ id: 'q1' }], checks: [{ kind: 'rows', min: 3 }, { kind: 'unique' }] });
    const unasked = await nl2code('decide', session, 'approve', '--answer', 'q2=EU').ended;
    expect(unasked).toMatchObject({ code: 64, err: expect.stringContaining('There is no question "q2": the plan asks q1.') as string });
    writeFileSync(join(cwd, 'plan.json'), '{"steps": ["a"], "checks": [true]}');
    const edit = await nl2code('decide', session, 'edit', '--file', 'plan.json').ended;
    expect(edit).toMatchObject({ code: 64, err: expect.stringContaining('The check 1 was left out: it is true') as string });
    expect((await nl2code('decide', session, 'reject').ended).code).toBe(0);
    await nl2code('logs', '-f', session).ended;
    expect(await document('show', session, '--json')).toMatchObject({ status: 'rejected', decisions: [{ what: 'plan', kind: 'reject' }] });
  });

  test('the same key finds the same session, and another request under it is refused', { timeout: SLOW }, async () => {
    const first = await document('run', 'quick numbers', '--idempotency-key', 'k1', '--json');
    expect(first).toMatchObject({ status: 'verified' });
    expect(await document('run', 'quick numbers', '--idempotency-key', 'k1', '--json')).toEqual(first);
    const other = await nl2code('run', 'write the numbers', '--idempotency-key', 'k1', '--json').ended;
    expect(other.code).toBe(64);
    expect((JSON.parse(other.out) as { error: { message: string } }).error.message).toContain('The idempotency key "k1" belongs to another request');
  });

  test('a session goes on after its verdict; there is nothing to stop then', { timeout: SLOW }, async () => {
    const { session } = await document<{ session: string }>('run', 'write the kept number', '--output', 'numbers.txt', '--json');
    const more = await document('follow-up', session, 'Can you also double it?', '--json');
    expect(more).toMatchObject({ session, status: 'verified', answer: 'The number is doubled.' });
    const empty = await nl2code('follow-up', session, ' ').ended;
    expect(empty).toMatchObject({ code: 64, err: 'nl2code: The prompt is empty: say in a sentence what is to be done.\n' });
    const stop = await nl2code('stop', session).ended;
    expect(stop.code).toBe(64);
    expect(stop.err).toContain(`Session ${session} is not running.`);
  });

  test('logs resume where they ended', { timeout: SLOW }, async () => {
    const [{ session }] = await document<[{ session: string }]>('list', '--json');
    const all = (await nl2code('logs', session, '--json').ended).out.trim().split('\n').map((line) => JSON.parse(line) as { next: number });
    const middle = all[3]!.next;
    expect((await nl2code('logs', session, '--json', '--from', String(middle)).ended).out.trim().split('\n').map((line) => JSON.parse(line) as { next: number })).toEqual(all.filter(({ next }) => next > middle));
  });
});
