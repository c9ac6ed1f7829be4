import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { ChatMessage, RawCall } from '../../src/model/endpoint.js';
import { loadPlaybooks } from '../../src/model/scripted/playbook.js';
import { play, type Played } from '../../src/model/scripted/player.js';
import type { Sent } from '../../src/model/scripted/sent.js';
import { asks } from '../../src/prompts/asks.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PACK = join(ROOT, 'packs/marketing');
const PYTHON = join(ROOT, '.runtime/python/bin/python');
const PLAYBOOKS = loadPlaybooks([join(PACK, 'playbooks')]);
const PROMPT =
  'Build a lookalike audience from seed list `high_value_q1.csv`. Use purchase frequency, average order value, and days since last purchase as features. ' +
  'Score all users in the `user_features` table. Output the top 10% as the target audience with a 20% holdout group. Write results to `lookalike_audience_scored.parquet`.';
const USUAL = ['user_id', 'purch_freq', 'avg_ov', 'days_last_purch'];
const OTHER = ['customer_no', 'n_purchases', 'avg_basket_eur', 'last_order_age_d'];

const opening = (strategy: string, columns: string[]): ChatMessage[] => [
  { role: 'system', content: asks[strategy]!.system },
  { role: 'user', content: `Request\n${PROMPT}\n\nInput files\n- "high_value_q1.csv" (2000 bytes)\n\nData\npurch_freq is the number of purchases.` },
  { role: 'user', content: `The inputs, as inspected:\nhigh_value_q1.csv: 100 rows\n${columns.map((c) => `  ${c} int64`).join('\n')}\nuser_features.parquet: 10000 rows\n${columns.map((c) => `  ${c} double`).join('\n')}\n  mkt_cd string` },
];

/** What the kernel and verification answer, turn by turn. */
const OBSERVATIONS = [
  'Go on: call run_cell, or submit when the script is written and has run.',
  'Traceback (most recent call last):\nValueError: Input X contains NaN.\nNearestNeighbors does not accept missing values',
  '10000 users scored, 1000 selected\ngroup\ntarget     787\nholdout    213\nName: count, dtype: int64',
  '         count    mean     min\ngroup                         \nholdout    200  0.8764  0.7789\ntarget     800  0.8805  0.7769',
  'Wrote lookalike.py.',
  'scored 10000 users, selected 1000: 800 target, 200 holdout\nexit code 0\nsame users as before: True\nseeds among them: 0',
  'Verification passed: runs, repeats, pack checks 6/6.',
  'A person edited the script. Their version is the script now: keep their change, do not undo it.\n\n--- submitted\n+++ edited\n@@ -51,5 +51,5 @@\n     x\n-    n_neighbors=5\n+    n_neighbors=10\n\nVerification passed: runs, repeats, pack checks 6/6.',
];

function sent(messages: ChatMessage[], tools: string[]): Sent {
  return {
    messages: messages.map((m) => ({ role: m.role, text: m.content, calls: m.role === 'assistant' ? m.calls.map((c) => c.id) : [], chars: m.content.length })),
    tools,
    stream: true,
    includeUsage: true,
    model: 'scripted',
    toolChars: 0,
  };
}

/** Plays until the observations are used up. Observation `blank` is sent empty. */
function playThrough(columns: string[], blank = -1): Played[] {
  const messages = opening('codeact', columns);
  const replies: Played[] = [];
  for (let i = 0; i <= OBSERVATIONS.length; i++) {
    const played = play(PLAYBOOKS, sent(messages, ['run_cell', 'submit', 'review']));
    replies.push(played);
    if (played.kind === 'mismatch') break;
    messages.push({ role: 'assistant', content: played.say, calls: played.calls as unknown as RawCall[] }, { role: 'user', content: i === blank ? '' : (OBSERVATIONS[i] ?? '') });
  }
  return replies;
}

const turns = (replies: Played[]) => replies.map((r) => (r.kind === 'reply' ? r.turn : r.message));
const argumentsOf = (played: Played | undefined) => JSON.parse((played?.kind === 'reply' && played.calls[0]?.arguments) || '{}') as Record<string, string>;

test.each([[USUAL], [OTHER], [USUAL.toReversed()]])('plays through with the columns %j, never naming others', (columns) => {
  const replies = playThrough(columns);
  expect(turns(replies)).toEqual(['plan', 'score the users', 'fill the gaps', 'make the holdout exact', 'write the script', 'run the script', 'submit', 'review', 'review after an edit']);
  const text = JSON.stringify(replies.map((r) => (r.kind === 'reply' ? [r.say, r.calls] : r)));
  for (const other of columns.includes('user_id') ? OTHER : USUAL.filter((c) => c !== 'user_id')) expect(text).not.toContain(other);
  for (const column of columns) expect(text).toContain(column);
  expect(argumentsOf(replies.at(-1)).summary).toContain('n_neighbors=10');
});

test('fails with a blanked inspection, and with any blanked observation that a turn was written for', () => {
  const messages = opening('codeact', USUAL);
  messages[2] = { role: 'user', content: 'The inputs, as inspected:\n' };
  expect(play(PLAYBOOKS, sent(messages, []))).toMatchObject({ kind: 'mismatch', message: expect.stringContaining('turn 1 "plan" reads') });
  for (const blank of [1, 2, 3, 4, 5, 6, 7]) {
    const last = playThrough(USUAL, blank);
    expect(last).toHaveLength(blank + 2);
    expect(last.at(-1)).toMatchObject({ kind: 'mismatch' });
  }
});

test('a lost kernel is loaded again, and the cell it cost is sent again', () => {
  const messages = opening('codeact', OTHER);
  const said = ['Go on.', 'Input X contains NaN', 'The kernel died in this cell: killed by SIGKILL.', 'reloaded: 10000 rows', OBSERVATIONS[2]!];
  const names = said.map((content) => {
    const played = play(PLAYBOOKS, sent(messages, ['run_cell']));
    if (played.kind === 'reply') messages.push({ role: 'assistant', content: played.say, calls: played.calls as unknown as RawCall[] }, { role: 'user', content });
    return played.kind === 'reply' ? played.turn : played.message;
  });
  expect(names).toEqual(['plan', 'score the users', 'fill the gaps', 'load everything again', 'fill the gaps']);
  expect(turns([play(PLAYBOOKS, sent(messages, ['run_cell']))])).toEqual(['make the holdout exact']);
});

describe('the script', () => {
  const run = promisify(execFile);
  const python = (folder: string, ...args: string[]) => run(PYTHON, args, { cwd: folder, env: { PATH: process.env.PATH, PYTHONPATH: join(PACK, 'lib'), OMP_NUM_THREADS: '1' } });
  const written = (columns: string[]) => (argumentsOf(playThrough(columns)[4]).code ?? '').replace(/^%%writefile lookalike\.py\n/, '');

  test('is the same under single-shot, in its only reply', () => {
    const only = play(PLAYBOOKS, sent(opening('single-shot', OTHER), ['submit']));
    expect(only).toMatchObject({ turn: 'submit', last: true });
    expect(argumentsOf(only).code).toBe(written(OTHER));
  });

  test('passes every check of the pack, on data with other names in another order', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lookalike-'));
    const { stdout } = await run(PYTHON, [join(PACK, 'generate.py'), '--seed', '7', '--columns', 'varied', '--shuffle-columns', '--out', folder]);
    const { columns } = JSON.parse(stdout) as { columns: Record<string, string> };
    writeFileSync(join(folder, 'lookalike.py'), written(Object.values(columns).slice(0, 4)));
    expect(await python(folder, 'lookalike.py')).toEqual({ stdout: 'scored 10000 users, selected 1000: 800 target, 200 holdout\n', stderr: '' });
    const check = `import json, pathlib, sys, types
sys.path.insert(0, sys.argv[1])
import lookalike
here = pathlib.Path.cwd()
out = here / "out"
out.mkdir()
(here / lookalike.OUTPUT.path).rename(out / lookalike.OUTPUT.path)
print(json.dumps(lookalike.run(types.SimpleNamespace(inputs=here, outputs=out, truth=here / "truth", declared=[]))))`;
    const results = JSON.parse((await run(PYTHON, ['-c', check, join(PACK, 'checks')], { cwd: folder })).stdout) as { name: string; ok: boolean }[];
    expect(results.length).toBeGreaterThan(5);
    expect(results.filter((r) => r.ok !== true)).toEqual([]);
  }, 60_000);

  test('ends with one sentence and no output on a missing, an empty and a renamed input', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lookalike-'));
    writeFileSync(join(folder, 'lookalike.py'), written(USUAL));
    await run(PYTHON, [join(PACK, 'generate.py'), '--out', folder]);
    const seeds = readFileSync(join(folder, 'high_value_q1.csv'), 'utf8');
    writeFileSync(join(folder, 'empty.csv'), seeds.split('\n')[0] + '\n');
    writeFileSync(join(folder, 'renamed.csv'), seeds.replace('avg_ov', 'aov'));
    const code = 'import runpy\nmain = runpy.run_path("lookalike.py")["main"]\nfor name in ("none", "empty", "renamed"): print(main(["--seeds", f"{name}.csv", "--out", "none.parquet"]))';
    const { stdout, stderr } = await python(folder, '-c', code);
    expect(stdout).toBe('1\n1\n1\n');
    const sentences = stderr.trim().split('\n');
    expect(sentences).toEqual([expect.stringMatching(/none\.csv: no such file.*avg_ov/), expect.stringMatching(/empty\.csv: no rows.*user_id/), expect.stringMatching(/renamed\.csv: no column avg_ov/)]);
    expect(() => readFileSync(join(folder, 'none.parquet'))).toThrow(/ENOENT/);
  }, 60_000);
});
