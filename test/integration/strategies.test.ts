import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { ModelReply } from '../../src/model/endpoint.js';
import { playbookReport } from '../../src/model/scripted/control.js';
import { STRATEGIES, type StrategyName } from '../../src/session/request.js';
import type { StepIO } from '../../src/session/step.js';
import { recordHistories } from '../rig/histories.js';
import { ROOT, startInProcess, toEnd, type InProcess } from '../rig/in-process.js';

const prompt =
  'Build a lookalike audience from seed list `high_value_q1.csv`. Use purchase frequency, average order value, and days since last purchase as features. ' +
  'Score all users in the `user_features` table. Output the top 10% as the target audience with a 20% holdout group. Write results to `lookalike_audience_scored.parquet`.';

let rig: InProcess;
let data: string;
beforeAll(async () => {
  rig = await startInProcess(inject('temporalAddress'));
  data = join(rig.dir, 'data');
  mkdirSync(data);
  execFileSync(join(ROOT, '.runtime/python/bin/python'), [join(ROOT, 'packs/marketing/generate.py'), '--seed', '7', '--columns', 'varied', '--out', data]);
});
afterAll(() => rig.close());

/** What goes wrong on the way, as the model is told, and is mended. */
const mistakes: Record<StrategyName, RegExp[]> = {
  codeact: [/Input X contains NaN/, /holdout +2\d\d\b/],
  'single-shot': [],
  chained: [/Input X contains NaN/, /holdout +2\d\d\b/],
  react: [/Input X contains NaN/, /NameError: name 'users' is not defined/],
  auto: [/Input X contains NaN/],
};
/** What verified rests on: strategies that plan hold the script to the checks of the plan, too. */
const agreed: Record<StrategyName, RegExp> = {
  codeact: /request checks 4\/4, pack checks (\d+)\/\1$/,
  'single-shot': /repeats, pack checks (\d+)\/\1$/,
  chained: /request checks 4\/4, pack checks (\d+)\/\1$/,
  react: /repeats, pack checks (\d+)\/\1$/,
  auto: /request checks 4\/4, pack checks (\d+)\/\1$/,
};
const modelCalls: Record<StrategyName, number> = { codeact: 8, 'single-shot': 1, chained: 7, react: 7, auto: 6 };

describe.each(STRATEGIES)('the lookalike request under %s', (strategy) => {
  test('ends verified by every check of the pack, whatever went wrong on the way', async () => {
    const inputs = ['high_value_q1.csv', 'user_features.parquet'].map((name) => join(data, name));
    const { session } = await rig.client.start({ prompt, strategy, pack: 'marketing', inputs, truth: [join(data, 'truth', 'lookalike_truth.json')], outputs: ['lookalike_audience_scored.parquet'] });
    const { result } = await toEnd(rig, session);
    expect(result, result?.reason ?? '').toMatchObject({ status: 'verified', statement: expect.stringMatching(agreed[strategy]) as string, spent: { calls: modelCalls[strategy] } });
    expect(result!.answer).toMatch(/user|score/i);

    const { chain, blobs } = rig.store.at(session);
    const links = chain.walk(chain.head());
    const seen = links.filter(({ record }) => record.kind === 'execute').map(({ record }) => blobs.text(record.refs.observation!)).join('\n');
    for (const mistake of mistakes[strategy]) expect(seen).toMatch(mistake);
    const failed = links.filter(({ record }) => record.kind === 'execute' && !(record.value as unknown as StepIO['execute']['value']).ok);
    expect(failed.length > 0).toBe(mistakes[strategy].length > 0);

    const { conversations } = await playbookReport(rig.modelUrl);
    expect(conversations.filter(({ playbook }) => playbook === `lookalike.${strategy}`)).toEqual([expect.objectContaining({ ok: true, mismatches: [], unused: [] })]);
    if (process.env.NL2CODE_RECORD_HISTORIES && !['codeact', 'single-shot'].includes(strategy)) await recordHistories(rig.temporal, strategy, session);
  });
});

describe.each([
  ['react', 'The script writes 15.'],
  ['codeact', 'The script writes 15.'],
  ['chained', null],
])('a model without tool calls under %s', (strategy, answer) => {
  test('works through what it writes into its text', async () => {
    const { session } = await rig.client.start({ prompt: 'Say the numbers in words.', strategy, outputs: ['numbers.txt'] });
    const { result } = await toEnd(rig, session);
    expect(result, result?.reason ?? '').toMatchObject({ status: 'verified', answer });
    expect(result!.artifacts).toContainEqual(expect.objectContaining({ path: 'numbers.txt', role: 'output' }));
    const { chain, blobs } = rig.store.at(session);
    const replies = chain.walk(chain.head()).flatMap(({ record }) => (record.refs.reply ? [JSON.parse(blobs.text(record.refs.reply)) as ModelReply] : []));
    expect(replies.flatMap(({ calls }) => calls)).toEqual([]);
  });
});
