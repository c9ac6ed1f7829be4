import { execFile, execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { readResult } from '../../src/store/read-result.js';
import { SessionStore } from '../../src/store/session-store.js';
import { loadPlaybooks } from '../../src/model/scripted/playbook.js';
import { startScriptedServer, type ScriptedServer } from '../../src/model/scripted/server.js';
import { scriptedModel } from '../../src/testing.js';
import { PLAYBOOKS, ROOT } from '../rig/in-process.js';
import { request } from '../strategies/scripted-ports.js';

const TEMPORAL = ['activity', 'client', 'common', 'envconfig', 'plugin', 'worker', 'workflow'].map((name) => `@temporalio/${name}@1.24.0`);

let folder: string;
let model: ScriptedServer;

/** The README's snippets by the file name that stands behind their language. */
function snippets(): Map<string, string> {
  const found = readFileSync(join(ROOT, 'README.md'), 'utf8').matchAll(/^```js (\S+)\n([\s\S]*?)^```$/gm);
  return new Map([...found].map(([, name, code]) => [name!, code!]));
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nl2code-package-'));
  const npm = (args: string[], cwd: string) => execFileSync('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], { cwd, encoding: 'utf8' });
  mkdirSync(join(folder, 'packed'));
  npm(['pack', '--pack-destination', join(folder, 'packed'), '--ignore-scripts'], ROOT);
  const [archive] = readdirSync(join(folder, 'packed'));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'mine', private: true, type: 'module' }));
  npm(['install', '--prefer-offline', '--ignore-scripts', join(folder, 'packed', archive!), ...TEMPORAL], folder);
  for (const [name, code] of snippets()) writeFileSync(join(folder, name), code);
  model = await startScriptedServer({ playbooks: loadPlaybooks([PLAYBOOKS]) });
}, 240_000);

afterAll(async () => {
  await model.close();
  rmSync(folder, { recursive: true, force: true });
}, 240_000);

test('holds what runs, and neither tests nor checks that generated code must not see in its library folder', () => {
  const files = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const names = (JSON.parse(files.slice(files.indexOf('['))) as [{ files: { path: string }[] }])[0].files.map(({ path }) => path);
  for (const needed of ['dist/cli.js', 'dist/workflow-bundle.js', 'guest/nl2code_guest/__main__.py', 'guest/nl2code_supervisor/__main__.py', 'guest/nl2code_checks/__init__.py', 'guest/seccomp/x86_64.bpf', 'guest/library-words.txt', 'packs/marketing/pack.yaml', 'packs/marketing/playbooks/lookalike.codeact.yaml', 'scripts/setup.mjs', 'LICENSE', 'README.md']) {
    expect(names).toContain(needed);
  }
  expect(names.filter((name) => /(^|\/)tests?(_\w+)?\/|__pycache__|\.map$/.test(name))).toEqual([]);
});

test('is one copy of each Temporal package', () => {
  const tree = execFileSync('npm', ['ls', '--all', '--parseable', '@temporalio/workflow', '@temporalio/common'], { cwd: folder, encoding: 'utf8' });
  expect(tree.trim().split('\n').filter((line) => /@temporalio\/(workflow|common)$/.test(line))).toHaveLength(2);
});

test("the README's plugin snippet runs beside the user's own workflow and activity", async () => {
  expect([...snippets().keys()]).toEqual(['workflows.js', 'worker.js']);
  const address = inject('temporalAddress');
  const worker = spawn(process.execPath, ['worker.js'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env.PATH, HOME: folder, TEMPORAL_ADDRESS: address, OPENAI_BASE_URL: model.baseUrl, OPENAI_API_KEY: 'x', NL2CODE_MODEL: 'scripted-server', NL2CODE_RUNTIME_DIR: join(ROOT, '.runtime') },
  });
  const said: Buffer[] = [];
  worker.stderr.on('data', (chunk: Buffer) => said.push(chunk));
  const connection = await Connection.connect({ address });
  try {
    const { workflow } = new Client({ connection });
    await expect(workflow.execute('greeting', { workflowId: `greeting-${Date.now()}`, taskQueue: 'mine', args: ['Ada'] })).resolves.toBe('Hello, Ada!');
    const session = `package-${Date.now()}`;
    const result = (await workflow.execute('nl2codeWorkflow', { workflowId: session, taskQueue: 'mine', args: [{ request: request({ prompt: 'Write the quick numbers.', limits: { cellTimeoutMs: 60_000, scriptTimeoutMs: 60_000, memoryBytes: 2 ** 31, diskBytes: 2 ** 31, maxRepairs: 1, stepsPerRun: 75 } }) }] })) as { verdict: { status: string } };
    expect(result.verdict.status, Buffer.concat(said).toString().slice(-2000)).toBe('verified');
    const folderOf = new SessionStore(join(folder, 'nl2code-data')).at(session);
    expect(readResult(folderOf, session)).toMatchObject({ status: 'verified', isolation: 'bubblewrap' });
  } finally {
    await connection.close();
    worker.kill('SIGTERM');
  }
});

describe('the example of an own worker', () => {
  let example: string;
  /** Runs Node in the example; resolves with how it ended and what it said. */
  const node = (args: string[], env: Record<string, string> = {}) =>
    new Promise<{ code: number; said: string }>((resolve) =>
      execFile(process.execPath, args, { cwd: example, env: { PATH: process.env.PATH, HOME: folder, TEMPORAL_ADDRESS: inject('temporalAddress'), ...env }, timeout: 240_000 }, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code ?? 1) : 0, said: stdout + stderr }),
      ),
    );

  beforeAll(async () => {
    example = join(folder, 'own-worker');
    cpSync(join(ROOT, 'examples', 'own-worker'), example, { recursive: true, filter: (path) => !/node_modules|dist$/.test(path) });
    mkdirSync(join(example, 'node_modules'));
    symlinkSync(join(ROOT, 'node_modules', '@types'), join(example, 'node_modules', '@types'));
  });

  test('names the versions that are packed here', () => {
    const { dependencies } = JSON.parse(readFileSync(join(example, 'package.json'), 'utf8')) as { dependencies: Record<string, string> };
    const { version, peerDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string; peerDependencies: Record<string, string> };
    expect(dependencies).toEqual({ ...peerDependencies, 'temporal-nl2code': version });
  });

  test('compiles, and the types of the package stand a strict look at every declaration', async () => {
    // It leaves its files whatever it says. The SDK's own declarations name types it does not bring.
    const { said } = await node([join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', '.', '--skipLibCheck', 'false', '--pretty', 'false']);
    expect(said.split('\n').filter((line) => /error TS/.test(line) && !line.includes('@temporalio/'))).toEqual([]);
  });

  test('passes its own tests, and publishes a report that a real script has written', async () => {
    const own = await scriptedModel(join(PLAYBOOKS, 'revenue.codeact.yaml'), { model: 'mine' });
    const env = { OPENAI_BASE_URL: own.baseUrl, OPENAI_API_KEY: 'x', NL2CODE_MODEL: 'mine', NL2CODE_RUNTIME_DIR: join(ROOT, '.runtime') };
    const worker = spawn(process.execPath, ['dist/src/worker.js'], { cwd: example, stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH, HOME: folder, TEMPORAL_ADDRESS: inject('temporalAddress'), ...env } });
    let log = '';
    for (const stream of [worker.stdout, worker.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (log += text));
    const ended = new Promise((resolve) => worker.on('exit', resolve));
    try {
      const [tests, report] = await Promise.all([node(['--test', 'dist/test']), node(['dist/src/client.js', '2026-10'], env)]);
      expect(tests).toMatchObject({ code: 0, said: expect.stringMatching(/^# pass 4$/m) });
      expect(report, log).toMatchObject({ code: 0, said: expect.stringContaining('verified (runs and repeats') });
      expect(readFileSync(join(example, 'reports', 'revenue-2026-10.csv'), 'utf8')).toBe('region,revenue\nAPAC,310.0\nEU,162.6\nUS,95.25\n');
      for (const activity of ['prepareReport', 'nl2code-open', 'nl2code-execute', 'nl2code-close', 'publishReport']) expect(log).toMatch(new RegExp(`^sales: ${activity} took \\d+ ms$`, 'm'));
      await own.assertPlayed();
    } finally {
      worker.kill('SIGTERM');
      await expect(ended).resolves.toBe(0);
      await own.close();
    }
  });
});
