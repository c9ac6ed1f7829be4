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
import { LOOKALIKE } from '../rig/lookalike.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PACK = join(ROOT, 'packs/marketing');
const PYTHON = join(ROOT, '.runtime/python/bin/python');
const PLAYBOOKS = loadPlaybooks([join(PACK, 'playbooks')]);
const USUAL = ['user_id', 'purch_freq', 'avg_ov', 'days_last_purch'];
const OTHER = ['customer_no', 'n_purchases', 'avg_basket_eur', 'last_order_age_d'];

/** As the built-in look at the inputs prints it. */
function inspection(columns: string[]): string {
  const of = (types: string[]) =>
    columns.map((c) => `  ${c}  ${types[[...USUAL, ...OTHER].indexOf(c) % 4]}`).join('\n');
  const seeds = of([
    'int64, 100 distinct, 1 to 9',
    'int64, 6 distinct, 7 to 12',
    'float64, 100 distinct, 232.03 to 705.35',
    'int64, 34 distinct, 2 to 47',
  ]);
  const users = of([
    'int64, 10,000 distinct, 1 to 9',
    'float64, 500 null, 30 distinct, 0 to 29, all whole',
    'float64, 9,253 distinct, 54.77 to 1733.45',
    'int64, 515 distinct, 0 to 854',
  ]);
  return `2 input files, in the current directory under their names.

high_value_q1.csv · CSV, comma, UTF-8 · 100 rows × 4 columns · 2.0 kB
  pd.read_csv('high_value_q1.csv')
${seeds}

user_features.parquet · Parquet · 10,000 rows × 5 columns · 145.3 kB
  pd.read_parquet('user_features.parquet')
${users}
  mkt_cd  str, 4 distinct, values: 'EU' 4,000, 'UK' 2,500, 'NA' 2,000, 'APAC' 1,500`;
}

const opening = (strategy: string, looked: string): ChatMessage[] => [
  { role: 'system', content: asks[strategy]!.system },
  {
    role: 'user',
    content: `Request\n${LOOKALIKE}\n\nInput files\n- "high_value_q1.csv" (2000 bytes)\n\nData\npurch_freq is the number of purchases.`,
  },
  { role: 'user', content: `The inputs, as inspected:\n${looked}` },
];

/** What the kernel and verification answer, turn by turn. */
const OBSERVATIONS = [
  'The plan is noted; go on by it.',
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
    messages: messages.map((m) => ({
      role: m.role,
      text: m.content,
      calls: m.role === 'assistant' ? m.calls.map((c) => c.id) : [],
      chars: m.content.length,
    })),
    tools,
    stream: true,
    includeUsage: true,
    model: 'scripted',
    toolChars: 0,
  };
}

/** Plays until the observations are used up. Observation `blank` is sent empty. */
function playThrough(looked: string, blank = -1): Played[] {
  const messages = opening('codeact', looked);
  const replies: Played[] = [];
  for (let i = 0; i <= OBSERVATIONS.length; i++) {
    const played = play(PLAYBOOKS, sent(messages, ['plan', 'run_cell', 'submit', 'review']));
    replies.push(played);
    if (played.kind === 'mismatch') break;
    messages.push(
      { role: 'assistant', content: played.say, calls: played.calls as unknown as RawCall[] },
      { role: 'user', content: i === blank ? '' : (OBSERVATIONS[i] ?? '') },
    );
  }
  return replies;
}

const turns = (replies: Played[]) => replies.map((r) => (r.kind === 'reply' ? r.turn : r.message));
const argumentsOf = (played: Played | undefined) =>
  JSON.parse((played?.kind === 'reply' && played.calls[0]?.arguments) || '{}') as Record<string, string>;

test.each([[USUAL], [OTHER], [USUAL.toReversed()]])(
  'plays through with the columns %j, never naming others',
  (columns) => {
    const replies = playThrough(inspection(columns));
    expect(turns(replies)).toEqual([
      'plan',
      'score the users',
      'fill the gaps',
      'make the holdout exact',
      'write the script',
      'run the script',
      'submit',
      'review',
      'review after an edit',
    ]);
    const text = JSON.stringify(replies.map((r) => (r.kind === 'reply' ? [r.say, r.calls] : r)));
    for (const other of columns.includes('user_id') ? OTHER : USUAL.filter((c) => c !== 'user_id'))
      expect(text).not.toContain(other);
    for (const column of columns) expect(text).toContain(column);
    expect(argumentsOf(replies.at(-1)).summary).toContain('n_neighbors=10');
  },
);

test('fails with a blanked inspection, and with any blanked observation that a turn was written for', () => {
  const messages = opening('codeact', '');
  expect(play(PLAYBOOKS, sent(messages, []))).toMatchObject({
    kind: 'mismatch',
    message: expect.stringContaining('turn 1 "plan" reads'),
  });
  for (const blank of [1, 2, 3, 4, 5, 6, 7]) {
    const last = playThrough(inspection(USUAL), blank);
    expect(last).toHaveLength(blank + 2);
    expect(last.at(-1)).toMatchObject({ kind: 'mismatch' });
  }
});

test.each([
  ['chained', 'chained-plan', 'plan'],
  ['react', 'react', 'look at the users'],
  ['auto', 'auto-first', 'first try'],
])('begins under %s with the columns it was shown, and not without', (strategy, ask, first) => {
  const tools = ['submit', 'read_schema', 'check_imports'];
  const begun = play(PLAYBOOKS, sent(opening(ask, inspection(OTHER)), tools));
  expect(begun).toMatchObject({ kind: 'reply', turn: first });
  expect(JSON.stringify(begun)).not.toContain(USUAL[1]);
  expect(play(PLAYBOOKS, sent(opening(ask, ''), tools))).toMatchObject({ kind: 'mismatch', message: expect.stringMatching(new RegExp(`^lookalike.${strategy}: turn 1 .* reads`)) });
});

test('goes on with another holdout under single-shot, and passes over turns for edits and follow-ups that did not come', () => {
  const messages = opening('single-shot', inspection(OTHER));
  messages.push({ role: 'assistant', content: '', calls: [{ id: 'c', name: 'submit', arguments: '{}' }] }, { role: 'tool', callId: 'c', content: 'Verification passed.' });
  messages.push({ role: 'user', content: 'Follow-up request\nCan you also make the holdout 10%?' });
  const next = play(PLAYBOOKS, sent(messages, ['submit']));
  expect(next).toMatchObject({ kind: 'reply', turn: 'submit the new holdout', last: true });
  expect(argumentsOf(next).code).toContain('HOLDOUT_SHARE = 10 / 100');
  const live = opening('codeact', inspection(OTHER));
  for (const observation of OBSERVATIONS.slice(0, 7)) live.push({ role: 'assistant', content: 'x', calls: [] }, { role: 'user', content: observation });
  live.push({ role: 'assistant', content: 'x', calls: [] }, { role: 'user', content: 'Follow-up request\nRun this on the EU segment only.' });
  expect(play(PLAYBOOKS, sent(live, ['plan']))).toMatchObject({ kind: 'reply', turn: 'plan the segment' });
});

test.each([
  [
    'a cell that was given up is sent again, from the state before it',
    'The kernel died in this cell: killed by SIGKILL. It was run 3 times, and each time its kernel died. The session goes on from the state before this cell, its variables and files as they were; whatever else the cell did outside the sandbox may have happened.',
    "still there: ['audience', 'scored']",
    'go on before the cell',
  ],
  [
    'what a kernel could not bring back is loaded again, and the cell that missed it is sent again',
    "The variable 'users' (DataFrame) was lost when the kernel was restored after cell 3: it is too large. Load it again.\nNameError",
    'reloaded: 10000 rows',
    'load everything again',
  ],
])('%s', (_law, lost, made, detour) => {
  const messages = opening('codeact', inspection(OTHER));
  const said = ['Go on.', 'Input X contains NaN', lost, made, OBSERVATIONS[2]!];
  const names = said.map((content) => {
    const played = play(PLAYBOOKS, sent(messages, ['plan', 'run_cell']));
    if (played.kind === 'reply')
      messages.push(
        { role: 'assistant', content: played.say, calls: played.calls as unknown as RawCall[] },
        { role: 'user', content },
      );
    return played.kind === 'reply' ? played.turn : played.message;
  });
  expect(names).toEqual(['plan', 'score the users', 'fill the gaps', detour, 'fill the gaps']);
  expect(turns([play(PLAYBOOKS, sent(messages, ['plan', 'run_cell']))])).toEqual(['make the holdout exact']);
});

describe('the script', () => {
  const run = promisify(execFile);
  const python = (folder: string, ...args: string[]) =>
    run(PYTHON, args, {
      cwd: folder,
      env: { PATH: process.env.PATH, PYTHONPATH: join(PACK, 'lib'), OMP_NUM_THREADS: '1' },
    });
  const written = (looked: string) =>
    (argumentsOf(playThrough(looked)[4]).code ?? '').replace(/^%%writefile lookalike\.py\n/, '');

  test('is the same under single-shot, in its only reply', () => {
    const only = play(PLAYBOOKS, sent(opening('single-shot', inspection(OTHER)), ['submit']));
    expect(only).toMatchObject({ turn: 'submit', last: true });
    expect(argumentsOf(only).code).toBe(written(inspection(OTHER)));
  });

  test('passes every check of the pack, on data with other names in another order', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lookalike-'));
    await run(PYTHON, [
      join(PACK, 'generate.py'),
      '--seed',
      '7',
      '--columns',
      'varied',
      '--shuffle-columns',
      '--out',
      folder,
    ]);
    const look = 'from nl2code_guest.inspection import report\nreport()';
    const { stdout: looked } = await run(PYTHON, ['-c', look], {
      cwd: folder,
      env: { PATH: process.env.PATH, PYTHONPATH: join(ROOT, 'guest'), NL2CODE_INPUTS: folder },
    });
    writeFileSync(join(folder, 'lookalike.py'), written(looked));
    expect(await python(folder, 'lookalike.py')).toEqual({
      stdout: 'scored 10000 users, selected 1000: 800 target, 200 holdout\n',
      stderr: '',
    });
    const check = `import json, pathlib, sys, types
sys.path.insert(0, sys.argv[1])
import lookalike
here = pathlib.Path.cwd()
out = here / "out"
out.mkdir()
(here / lookalike.OUTPUT.path).rename(out / lookalike.OUTPUT.path)
print(json.dumps(lookalike.run(types.SimpleNamespace(inputs=here, outputs=out, truth=here / "truth", declared=[]))))`;
    const results = JSON.parse((await run(PYTHON, ['-c', check, join(PACK, 'checks')], { cwd: folder })).stdout) as {
      name: string;
      ok: boolean;
    }[];
    expect(results.length).toBeGreaterThan(5);
    expect(results.filter((r) => r.ok !== true)).toEqual([]);
  }, 60_000);

  test('ends with one sentence and no output on a missing, an empty and a renamed input', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lookalike-'));
    writeFileSync(join(folder, 'lookalike.py'), written(inspection(USUAL)));
    await run(PYTHON, [join(PACK, 'generate.py'), '--out', folder]);
    const seeds = readFileSync(join(folder, 'high_value_q1.csv'), 'utf8');
    writeFileSync(join(folder, 'empty.csv'), seeds.split('\n')[0] + '\n');
    writeFileSync(join(folder, 'renamed.csv'), seeds.replace('avg_ov', 'aov'));
    const code =
      'import runpy\nmain = runpy.run_path("lookalike.py")["main"]\nfor name in ("none", "empty", "renamed"): print(main(["--seeds", f"{name}.csv", "--out", "none.parquet"]))';
    const { stdout, stderr } = await python(folder, '-c', code);
    expect(stdout).toBe('1\n1\n1\n');
    const sentences = stderr.trim().split('\n');
    expect(sentences).toEqual([
      expect.stringMatching(/none\.csv: no such file.*avg_ov/),
      expect.stringMatching(/empty\.csv: no rows.*user_id/),
      expect.stringMatching(/renamed\.csv: no column avg_ov/),
    ]);
    expect(() => readFileSync(join(folder, 'none.parquet'))).toThrow(/ENOENT/);
  }, 60_000);
});
