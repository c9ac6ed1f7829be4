import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runProgram } from '../../src/cli/program.js';
import { createTerminal } from '../../src/cli/terminal.js';
import { packageRoot } from '../../src/config/package-root.js';
import { fencedCommands, type ShownCommand } from '../docs/commands.js';

let cwd: string;
let env: Record<string, string>;
let up: ChildProcess;
beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'nl2code-guides-'));
  mkdirSync(join(cwd, 'packs', 'guide'), { recursive: true });
  writeFileSync(join(cwd, 'packs', 'guide', 'pack.yaml'), 'name: guide\n');
  cpSync(join(import.meta.dirname, '..', 'docs', 'playbooks'), join(cwd, 'packs', 'guide', 'playbooks'), { recursive: true });
  writeFileSync(join(cwd, 'sales.csv'), 'order,region,amount\n1,EU,10.5\n2,US,20\n3,EU,-4\n4,APAC,7\n');
  env = { HOME: cwd, PATH: process.env.PATH!, NL2CODE_DATA_DIR: join(cwd, 'data') };
  up = spawn(process.execPath, [join(packageRoot(), 'dist', 'cli.js'), 'up'], { cwd, env, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  for await (const piece of up.stderr!.setEncoding('utf8') as AsyncIterable<string>) if ((said += piece).includes('nl2code serves')) break;
}, 120_000);
afterAll(async () => {
  up.kill('SIGTERM');
  if (up.exitCode === null) await once(up, 'exit');
  rmSync(cwd, { recursive: true, force: true });
}, 120_000);

async function nl2code(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const written = { out: '', err: '' };
  const terminal = createTerminal({ stdin: {}, stdout: { write: (text) => (written.out += text) }, stderr: { write: (text) => (written.err += text) }, env });
  const code = await runProgram(words, { terminal, env, cwd, stdin: Readable.from([]), exitCode: 0 });
  return { code, ...written };
}

/** What waits in a session, as `show --code` prints it. */
async function waiting(session: string): Promise<string> {
  for (;;) {
    const { code, out } = await nl2code('show', session, '--code');
    if (code === 0) return out;
    await delay(100);
  }
}

/**
 * Runs the fenced commands of a guide from top to bottom, as a reader would: `<session>` is that of the last `run`, and for a follow-up that of
 * the last one that was followed to its end. Each `decide` is one of several ways to answer, so each is asked of a session of its own.
 */
async function follow(commands: readonly ShownCommand[]): Promise<{ line: string; code: number; err: string }[]> {
  let session = '';
  let ended = '';
  let detached: string[] = [];
  const seen = [];
  for (const { place, words } of commands) {
    const [name] = words;
    if (name === 'decide') {
      // What the command before has answered, or another that waits.
      await nl2code('stop', session);
      session = (await nl2code(...detached)).out.trim();
      writeFileSync(join(cwd, 'plan.json'), await waiting(session));
    }
    const { code, out, err } = await nl2code(...words.map((word) => (word === '<session>' ? (name === 'follow-up' ? ended : session) : word)));
    seen.push({ line: `${place}: ${words.join(' ')}`, code, err });
    if (words.includes('--detach')) {
      detached = words;
      session = out.trim();
      await waiting(session);
    } else if (name === 'run') {
      ended = session = /session (\w+)/.exec(err)![1]!;
    }
  }
  return seen;
}

const GUIDES = ['requests', 'strategies'];
test.each(GUIDES)('every command that docs/%s.md shows does what it says', { timeout: 240_000 }, async (name) => {
  const commands = fencedCommands(`${name}.md`, readFileSync(join(packageRoot(), 'docs', `${name}.md`), 'utf8'));
  expect(commands.length).toBeGreaterThanOrEqual(2);
  expect((await follow(commands)).filter(({ code }) => code !== 0)).toEqual([]);
});
