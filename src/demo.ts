#!/usr/bin/env node
/**
 * `npm run demo`: the article's lookalike request to a verified script, with the bundled scripted model. Half-way it kills its own worker,
 * and a scripted person edits one line. Exits 0 only when all of that happened and the result is verified.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Followed } from './follow.js';
import { lineDiff } from './cli/line-diff.js';
import { endSandbox } from './cli/follow-to-end.js';
import { advance, liveLine, NO_PROGRESS, seconds } from './cli/progress.js';
import { readStepDetail } from './cli/step-detail.js';
import { resultText } from './cli/result-text.js';
import { saveResult } from './cli/save-result.js';
import { attachClient, type SessionClient } from './cli/session-client.js';
import { createTerminal, type Terminal } from './cli/terminal.js';
import type { ResolvedConfig } from './config.js';
import { packageRoot } from './config/package-root.js';
import { resolveConfig } from './config/resolve-config.js';
import type { Proposal } from './session/decision.js';
import type { Isolation } from './session/request.js';
import type { Result } from './session/result.js';
import { createBackend } from './world.js';

const PROMPT =
  'Build a lookalike audience from seed list `high_value_q1.csv`. Use purchase frequency, average order value, and days since last purchase as features. ' +
  'Score all users in the `user_features` table. Output the top 10% as the target audience with a 20% holdout group. Write results to `lookalike_audience_scored.parquet`.';
const OUTPUT = 'lookalike_audience_scored.parquet';
/** The one line the scripted person changes in the script. */
const EDIT = { from: 'n_neighbors=5', to: 'n_neighbors=10' };
/** The worker dies when this many cells have run. */
const KILL_AFTER_CELLS = 1;

interface Story {
  killed: number | null;
  killedAt: number;
  attached: boolean;
  edited: boolean;
}

/** Plays the demo; returns the exit code. */
async function demo(terminal: Terminal): Promise<number> {
  const began = performance.now();
  const { values } = parseArgs({ options: { seed: { type: 'string', default: '42' }, out: { type: 'string', default: 'out/demo' } } });
  const seed = Number(values.seed);
  if (!Number.isInteger(seed) || seed < 0) {
    terminal.note(`--seed is ${JSON.stringify(values.seed)}: give a whole number, such as 7.`, 'bad');
    return 64;
  }
  const root = packageRoot();
  const dataDir = join(root, '.nl2code', 'demo');
  const config = resolveConfig({ flags: { dataDir, model: 'scripted', temporal: 'embedded', uiPort: 0, packs: [join(root, 'packs')] }, env: process.env, cwd: root });
  const isolation = await chooseIsolation(config, terminal);
  terminal.out(`nl2code demo · model: scripted (playbook, no AI) · sandbox: ${isolation === 'none' ? 'none' : 'bubblewrap, no network'}`);
  const inputs = generate(config, seed, join(dataDir, `data-${seed}`));
  const host = await attachClient({ ...config, sandbox: { ...config.sandbox, isolation } }, { embed: true });
  if (!host) throw new Error('nobody serves the demo');
  try {
    if (host.lease.uiUrl) terminal.out(`temporal ui ${host.lease.uiUrl}`);
    terminal.out(`\nRequest  "${PROMPT.slice(0, 92)} …"`);
    terminal.out(`Inputs   ${[inputs.seeds, inputs.users].map((path) => relative(dataDir, path)).join(', ')}${seed === 42 ? '' : ` (seed ${seed}: other data, other column names)`}\n`);
    const { session } = await host.client.start({
      prompt: PROMPT,
      pack: 'marketing',
      inputs: [inputs.seeds, inputs.users],
      truth: [inputs.truth],
      outputs: [OUTPUT],
      approval: 'final',
      isolation,
    });
    const story: Story = { killed: null, killedAt: 0, attached: false, edited: false };
    const result = await follow(host, session, terminal, story, began);
    if (!result) return 1;
    await endSandbox(config, host.client.folder(session));
    const out = resolve(values.out);
    mkdirSync(out, { recursive: true });
    for (const name of readdirSync(out)) rmSync(join(out, name), { recursive: true, force: true });
    const files = saveResult(result, host.client.folder(session), out);
    terminal.out(`\n${resultText(result, files.map((path) => relative(process.cwd(), path)), terminal)}`);
    terminal.out(`\nNext   npx nl2code follow-up ${session} "Can you also make the holdout 10%?" --approval never --model scripted --data-dir ${relative(process.cwd(), dataDir)}`);
    terminal.out(`       your model: OPENAI_BASE_URL=… OPENAI_API_KEY=… npx nl2code run "…" --input FILE`);
    return verdict(result, story, terminal);
  } finally {
    await host.close();
  }
}

/** Bubblewrap where it works; else our own playbook runs unisolated, and one line says so. */
async function chooseIsolation(config: ResolvedConfig, terminal: Terminal): Promise<Isolation> {
  const backend = createBackend({ ...config, sandbox: { ...config.sandbox, pool: 0 } });
  try {
    const probe = await backend.probe();
    if (probe.available) return 'bubblewrap';
    terminal.note(`Running without isolation, since the demo runs its own bundled playbook only: ${probe.detail}`, 'warn');
    return 'none';
  } finally {
    await backend.close();
  }
}

function generate(config: ResolvedConfig, seed: number, folder: string): { seeds: string; users: string; truth: string } {
  const files = { seeds: join(folder, 'high_value_q1.csv'), users: join(folder, 'user_features.parquet'), truth: join(folder, 'truth', 'lookalike_truth.json') };
  if (Object.values(files).every((path) => existsSync(path))) return files;
  const columns = seed === 42 ? [] : ['--columns', 'varied'];
  execFileSync(join(config.runtimeDir, 'python', 'bin', 'python'), [join(packageRoot(), 'packs', 'marketing', 'generate.py'), '--seed', String(seed), '--out', folder, ...columns], { stdio: ['ignore', 'ignore', 'inherit'] });
  return files;
}

async function follow(host: SessionClient, session: string, terminal: Terminal, story: Story, began: number): Promise<Result | null> {
  let progress = NO_PROGRESS;
  let cells = 0;
  let first = true;
  const ticker = setInterval(() => terminal.live(liveLine(progress, Date.now())), 200);
  try {
    for await (const followed of host.client.follow(session)) {
      if (followed.kind === 'end') {
        if (!followed.result) terminal.note(`The session has no result: ${followed.why}.`, 'bad');
        return followed.result;
      }
      if (followed.kind === 'snapshot') {
        if (followed.snapshot.proposal && !story.edited) await edit(host, session, followed.snapshot.proposal, terminal, story);
        continue;
      }
      const { event } = followed;
      if (first && event.kind === 'step-started') {
        first = false;
        terminal.note(`first step after ${seconds(performance.now() - began)}`, 'dim');
      }
      const seen = advance(progress, event, (seq) => readStepDetail(host.client.folder(session), seq), terminal.columns);
      progress = seen.progress;
      for (const line of seen.lines) terminal.note(line.text, line.tone);
      if (event.kind === 'step-finished' && isCell(host, session, event.seq)) cells += 1;
      if (story.killed === null && cells >= KILL_AFTER_CELLS && event.kind === 'step-started') kill(host, terminal, story);
      else if (story.killed !== null && !story.attached && event.kind === 'step-finished') tellAttached(host, followed, terminal, story);
    }
    return null;
  } finally {
    clearInterval(ticker);
    terminal.live(null);
  }
}

const isCell = (host: SessionClient, session: string, seq: number) => readStepDetail(host.client.folder(session), seq)?.target === 'cell';

function kill(host: SessionClient, terminal: Terminal, story: Story): void {
  const [worker] = host.lease.workers();
  if (worker === undefined) return;
  terminal.note(`── kill -9 worker ${worker} (on purpose) ${'─'.repeat(30)}`, 'strong');
  process.kill(worker, 'SIGKILL');
  story.killed = worker;
  story.killedAt = Date.now();
}

function tellAttached(host: SessionClient, followed: Extract<Followed, { kind: 'event' }>, terminal: Terminal, story: Story): void {
  const worker = host.lease.workers().find((pid) => pid !== story.killed);
  if (worker === undefined) return;
  story.attached = true;
  terminal.note(`   worker ${worker} went on; next step finished ${seconds(followed.event.at - story.killedAt)} after the kill, with every variable in place`, 'strong');
}

/** The scripted person: changes one line of the proposed script and runs it. */
async function edit(host: SessionClient, session: string, proposal: Proposal, terminal: Terminal, story: Story): Promise<void> {
  const code = host.client.text(session, proposal.code);
  const edited = code.replace(EDIT.from, EDIT.to);
  if (edited === code) throw new Error(`the proposed script does not hold ${EDIT.from}`);
  story.edited = true;
  terminal.note(`── approval (a scripted person edits one line) ${'─'.repeat(24)}`, 'strong');
  for (const { sign, text } of lineDiff(code, edited, 0)) if (sign !== ' ') terminal.note(`   ${sign} ${text.trim()}`, sign === '+' ? 'good' : 'bad');
  await host.client.decide(session, { proposal: proposal.id, actor: 'scripted:demo', decision: { kind: 'edit', code: { text: edited } } });
  terminal.note('   the script is verified again, and the model is told');
}

/** The demo fails loudly when anything of its story did not happen. */
function verdict(result: Result, story: Story, terminal: Terminal): number {
  const missing = [
    result.status === 'verified' ? null : `the result is ${result.status}`,
    result.assumptions.length > 0 && result.checks.length > 0 ? null : 'the plan states no assumptions and no checks',
    story.killed !== null && story.attached ? null : 'no worker was killed and replaced',
    story.edited && result.script?.includes(EDIT.to) ? null : 'the edit is not in the final script',
  ].filter((line) => line !== null);
  for (const line of missing) terminal.note(`The demo did not do what it promises: ${line}.`, 'bad');
  return missing.length === 0 ? 0 : 1;
}

demo(createTerminal()).then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
