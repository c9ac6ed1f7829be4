import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { RequestOptions } from '../../src/admission/admit.js';
import type { ModelReply } from '../../src/model/endpoint.js';
import { playbookReport } from '../../src/model/scripted/control.js';
import { STRATEGIES, type StrategyName } from '../../src/session/request.js';
import type { StepIO } from '../../src/session/step.js';
import { recordHistories } from '../rig/histories.js';
import { startInProcess, toEnd, type InProcess } from '../rig/in-process.js';
import { lookalikeRequest } from '../rig/lookalike.js';

let rig: InProcess;
let request: RequestOptions;
beforeAll(async () => {
  rig = await startInProcess(inject('temporalAddress'));
  request = lookalikeRequest(rig.dir);
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
    const { session } = await rig.client.start({ ...request, strategy });
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
