// Tokens and cost of the lookalike request under each strategy: the real product end to end, the scripted model in place of an AI. Counts
// lengths of written conversations at 4 characters a token. Measures no model's skill, no tokenizer, no provider's cache and no time.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { costUsd, priceOf, PRICES_AS_OF } from '../dist/model/prices.js';
import { Nl2codePlugin } from '../dist/plugin.js';
import { STRATEGIES } from '../dist/session/request.js';
import { scriptedModel, testWorld, untilResult } from '../dist/testing.js';
import { prefixChars, sentTexts } from './sent.mjs';

/** The model whose list price is used, as if it had answered: the article's. */
const PRICED_AS = 'gpt-4o';
const CHARS_PER_TOKEN = 4;
const OUTPUT = 'lookalike_audience_scored.parquet';
const PROMPT =
  'Build a lookalike audience from seed list `high_value_q1.csv`. Use purchase frequency, average order value, and days since last purchase as features. ' +
  `Score all users in the \`user_features\` table. Output the top 10% as the target audience with a 20% holdout group. Write results to \`${OUTPUT}\`.`;

/** The article's own figures, averages over its five requests (n = 1 to 5, one run, judged by its author): a hypothesis beside ours, no baseline. */
const ARTICLE = {
  'single-shot': { calls: '1', contextTokens: null, costUsd: 0.03 },
  chained: { calls: '3+', contextTokens: null, costUsd: 0.12 },
  react: { calls: '8-12 steps', contextTokens: 15_000, costUsd: 0.18 },
  codeact: { calls: '5-7 steps', contextTokens: 8_000, costUsd: 0.14 },
  auto: null,
};

export async function tokensBench({ address, root }) {
  const price = priceOf(PRICED_AS);
  const connection = await Connection.connect({ address, connectTimeout: '60s' });
  const native = await NativeConnection.connect({ address });
  const model = await scriptedModel(join(root, 'packs', 'marketing', 'playbooks'));
  const world = testWorld({ model, sandbox: 'real' });
  const data = mkdtempSync(join(tmpdir(), 'nl2code-bench-data-'));
  try {
    execFileSync(join(root, '.runtime', 'python', 'bin', 'python'), [join(root, 'packs', 'marketing', 'generate.py'), '--seed', '42', '--out', data], { stdio: ['ignore', 'ignore', 'inherit'] });
    const input = (name) => join(data, name);
    const taskQueue = `tokens-${Date.now()}`;
    const client = world.client(new Client({ connection }), taskQueue, { allow: [data] });
    const worker = await Worker.create({ connection: native, taskQueue, workflowBundle: { codePath: join(root, 'dist', 'workflow-bundle.js') }, plugins: [new Nl2codePlugin({ world })] });
    const strategies = {};
    await worker.runUntil(async () => {
      for (const strategy of STRATEGIES) {
        const { session } = await client.start({ prompt: PROMPT, strategy, pack: 'marketing', inputs: [input('high_value_q1.csv'), input('user_features.parquet')], truth: [input('truth/lookalike_truth.json')], outputs: [OUTPUT] });
        const result = await untilResult(client, session, { timeoutMs: 300_000 });
        strategies[strategy] = { ...figures(result, callsOf(client.folder(session)), price), article: ARTICLE[strategy] };
      }
    });
    return { pricedAs: PRICED_AS, price, pricesAsOf: PRICES_AS_OF, charsPerToken: CHARS_PER_TOKEN, strategies, handAnswered: handAnswered(join(root, 'test', 'traces'), price) };
  } finally {
    await world.close();
    await model.close();
    await native.close();
    await connection.close();
    rmSync(data, { recursive: true, force: true });
  }
}

/** The model calls of a session, oldest first: usage, and what was sent. */
function callsOf({ chain, blobs }) {
  const links = chain.walk(chain.head()).filter(({ record }) => record.sent);
  const texts = sentTexts(links.map(({ hash, record: { sent } }) => ({ hash, base: sent.base, sha: sent.sha, add: JSON.parse(blobs.text(sent.add)) })));
  return links.map(({ record }, i) => ({ usage: record.spent, text: texts[i] }));
}

/** Sums over the calls of one session. `repeated` is what a cache could serve: the longest prefix that an earlier request of the session had sent. */
function figures({ status, statement, steps, spent }, calls, price) {
  const repeated = calls.map(({ text }, i) => Math.max(0, ...calls.slice(0, i).map((earlier) => prefixChars(earlier.text, text))));
  const sentChars = calls.map(({ text }) => text.length);
  const sum = (values) => values.reduce((a, b) => a + b, 0);
  const cachedShare = sum(repeated) / sum(sentChars);
  const usage = { promptTokens: spent.promptTokens, completionTokens: spent.completionTokens };
  return {
    status,
    by: statement,
    steps,
    calls: spent.calls,
    promptTokens: spent.promptTokens,
    completionTokens: spent.completionTokens,
    largestPromptTokens: Math.max(...calls.map((call) => call.usage.promptTokens)),
    cachedShare,
    costUsd: costUsd({ ...usage, cachedTokens: 0 }, price),
    costCachedUsd: costUsd({ ...usage, cachedTokens: Math.round(cachedShare * spent.promptTokens) }, price),
  };
}

/** Traces of sessions that a person answered in the model's place, from what a model is sent and nothing else. */
function handAnswered(folder, price) {
  return readdirSync(folder)
    .filter((name) => /\.hand-answered\b.*\.jsonl$/.test(name))
    .sort()
    .map((name) => {
      const lines = readFileSync(join(folder, name), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line));
      const sent = lines.filter((line) => line.sent);
      const texts = sentTexts(sent.map(({ record, sent: { base, sha, add } }) => ({ hash: record, base, sha, add })));
      const spent = { promptTokens: 0, completionTokens: 0, calls: 0 };
      for (const line of lines) for (const key of Object.keys(spent)) spent[key] += line.spent[key];
      const close = lines.findLast((line) => line.kind === 'close');
      return {
        trace: name,
        request: name.split('.')[0],
        strategy: lines[0].args.request.strategy,
        ...figures({ status: close?.args.verdict.status ?? 'open', statement: null, steps: lines.filter(({ kind }) => kind !== 'open' && kind !== 'close').length, spent }, sent.map((line, i) => ({ usage: line.spent, text: texts[i] })), price),
      };
    });
}
