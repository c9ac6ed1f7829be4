import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RequestOptions } from '../../src/admission/admit.js';
import { answeringServer, status } from '../model/answering-server.js';
import { admissionRoom } from './admission-room.js';

const room = admissionRoom();

test('a bare prompt becomes a request with every option resolved', async () => {
  expect(await room.admit({})).toEqual({
    id: 'r1',
    prompt: 'count the rows',
    strategy: 'codeact',
    pack: null,
    inputs: [],
    truth: [],
    outputs: [],
    model: 'scripted',
    promptTokens: 89_856,
    exposure: 'masked',
    sandbox: 'process',
    isolation: 'bubblewrap',
    limits: { cellTimeoutMs: 120_000, scriptTimeoutMs: 300_000, memoryBytes: 2 ** 31, diskBytes: 2 ** 31, maxRepairs: 3, stepsPerRun: 75 },
    budget: { maxSteps: 40, maxCostUsd: null, maxTokens: null, deadline: null },
    approval: { policy: 'never', expiryMs: 604_800_000 },
    labels: {},
  });
});

test('single-shot repairs nothing unless it is asked to', async () => {
  expect((await room.admit({ strategy: 'single-shot' })).limits.maxRepairs).toBe(0);
  expect((await room.admit({ strategy: 'single-shot', limits: { maxRepairs: 2 } })).limits.maxRepairs).toBe(2);
});

test('a prompt keeps its newlines, quotes and scripts', async () => {
  const prompt = '  zähle "alle"\n行 \u202eabc\t';
  expect((await room.admit({ prompt })).prompt).toBe(prompt);
});

type Bad = [name: string, options: Record<string, unknown>, sentence: string];
const refusedWith = (cases: Bad[]) => test.each<Bad>(cases)('%s', async (_name, options, sentence) => expect((await room.refusal(options as Partial<RequestOptions>)).message).toBe(sentence));

describe('a prompt is refused that is', () => {
  refusedWith([
    ['empty', { prompt: '' }, 'The prompt is empty: say in a sentence what is to be done.'],
    ['blank', { prompt: ' \n\t' }, 'The prompt is empty: say in a sentence what is to be done.'],
    ['missing', { prompt: undefined }, 'The prompt is missing: say in a sentence what is to be done.'],
    ['no text', { prompt: 7 }, 'The prompt is 7: say in a sentence what is to be done.'],
    [
      'one megabyte long',
      { prompt: 'x'.repeat(1_000_000) },
      'The prompt has 1,000,000 characters, more than the limit of 100,000: shorten it and give data as --input, or raise admission.maxPromptChars in nl2code.config.yaml.',
    ],
  ]);
});

describe('a name is refused that is not known', () => {
  refusedWith([
    ['strategy', { strategy: 'tree-of-thought' }, 'The strategy "tree-of-thought" is not known: choose one of codeact, single-shot, chained, react, auto.'],
    ['sandbox', { sandbox: 'docker' }, 'The sandbox "docker" is not known: choose one of process.'],
    ['isolation', { isolation: 'gvisor' }, 'The isolation "gvisor" is not known: choose one of bubblewrap, none.'],
    ['approval plan without a plan', { approval: 'plan', strategy: 'single-shot' }, 'The approval policy "plan" does not fit strategy single-shot, which makes no plan: choose codeact or chained, or approval "final".'],
    ['approval plan before a first try', { approval: { policy: 'plan' }, strategy: 'auto' }, 'The approval policy "plan" does not fit strategy auto, which writes a first script before any plan: choose codeact or chained, or approval "final".'],
    ['approval', { approval: 'sometimes' }, 'The approval policy "sometimes" is not known: choose one of never, plan, every-cell, final.'],
    ['model without an endpoint', { model: 'gpt-9' }, 'The model "gpt-9" is not known, because no endpoint is configured: set OPENAI_API_KEY or OPENAI_BASE_URL, or leave the model out for the scripted one.'],
    ['key', { stratgy: 'codeact' }, 'The request has the unknown key "stratgy": did you mean "strategy"?'],
    ['limit', { limits: { cellTimeoutMS: 1 } }, 'limits has the unknown key "cellTimeoutMS": did you mean "cellTimeoutMs"?'],
  ]);

  test('pack, and the known ones are named', async () => {
    for (const name of ['b', 'a', 'unfinished']) mkdirSync(join(room.cwd, 'packs', name), { recursive: true });
    for (const name of ['b', 'a']) writeFileSync(join(room.cwd, 'packs', name, 'pack.yaml'), `name: ${name}\ntitle: T\ndescription: D\n`);
    const { message } = await room.refusal({ pack: 'unfinished' });
    expect(message).toMatch(/^The pack "unfinished" is not known: choose one of a, b.*, or add its folder with NL2CODE_PACKS\.$/);
    expect((await room.refusal({ pack: '../packs/a' })).message).toContain('is not known');
    expect((await room.admit({ pack: 'a' })).pack).toBe('a');
  });

  test('a pack that is broken', async () => {
    mkdirSync(join(room.cwd, 'packs', 'b'), { recursive: true });
    writeFileSync(join(room.cwd, 'packs', 'b', 'pack.yaml'), 'name: b\n');
    expect((await room.refusal({ pack: 'b' })).message).toContain('Pack "b" can\'t be used: in ');
  });
});

describe('budget and limits are refused that are', () => {
  const steps = 'which is not a whole number from 1 to 10,000: choose a value in these bounds.';
  const cost = 'which is not a number from 0 to 100,000: choose a value in these bounds.';
  refusedWith([
    ['negative', { budget: { maxSteps: -1 } }, `budget.maxSteps is -1, ${steps}`],
    ['zero', { budget: { maxSteps: 0 } }, `budget.maxSteps is 0, ${steps}`],
    ['broken', { budget: { maxSteps: 1.5 } }, `budget.maxSteps is 1.5, ${steps}`],
    ['text', { budget: { maxSteps: '40' } }, `budget.maxSteps is "40", ${steps}`],
    ['absurd', { budget: { maxSteps: 1e9 } }, `budget.maxSteps is 1000000000, ${steps}`],
    ['NaN', { budget: { maxCostUsd: Number.NaN } }, `budget.maxCostUsd is NaN, ${cost}`],
    ['a negative cost', { budget: { maxCostUsd: -0.01 } }, `budget.maxCostUsd is -0.01, ${cost}`],
    ['infinite', { budget: { maxCostUsd: Infinity } }, `budget.maxCostUsd is Infinity, ${cost}`],
    ['few tokens', { budget: { maxTokens: 10 } }, 'budget.maxTokens is 10, which is not a whole number from 1,000 to 1,000,000,000: choose a value in these bounds.'],
    ['a deadline that is no instant', { budget: { deadline: 'tomorrow' } }, 'budget.deadline is "tomorrow", which is no instant: give one with its time zone, such as 2030-01-31T18:00:00Z.'],
    ['a deadline without a time zone', { budget: { deadline: '2126-01-01T00:00:00' } }, 'budget.deadline is "2126-01-01T00:00:00", which is no instant: give one with its time zone, such as 2030-01-31T18:00:00Z.'],
    ['a deadline that has passed', { budget: { deadline: '2020-01-01T00:00:00Z' } }, 'budget.deadline is "2020-01-01T00:00:00Z", which has passed: give a later one.'],
    ['no object', { budget: 5 }, 'budget is 5: give an object with any of maxSteps, maxCostUsd, maxTokens, deadline.'],
    ['too short a time', { limits: { cellTimeoutMs: 1 } }, 'limits.cellTimeoutMs is 1, which is not a whole number from 100 to 86,400,000: choose a value in these bounds.'],
    ['too little memory', { limits: { memoryBytes: 1024 } }, 'limits.memoryBytes is 1024, which is not a whole number from 67,108,864 to 4,398,046,511,104: choose a value in these bounds.'],
    ['an absurd expiry', { approval: { policy: 'final', expiryMs: -5 } }, 'approval.expiryMs is -5, which is not a whole number from 1,000 to 31,536,000,000: choose a value in these bounds.'],
    ['in contradiction with the strategy', { budget: { maxSteps: 4 } }, 'budget.maxSteps is 4, but strategy codeact needs at least 5 steps to reach a verified script: raise --max-steps.'],
  ]);

  test('a cost bound on a model without a price', async () => {
    const env = { OPENAI_BASE_URL: 'http://127.0.0.1:9/v1', NL2CODE_MODEL: 'home-made' };
    expect(await room.refusal({ budget: { maxCostUsd: 1 } }, {}, env)).toEqual({
      code: 'price-unknown',
      message:
        'The price of model "home-made" is not known, so a budget of 1 US dollars can\'t be kept. Declare the price of this model in nl2code.config.yaml under prices, or leave out --max-cost-usd.',
    });
  });

  test('fewer tokens than the first call may take', async () => {
    expect((await room.refusal({ budget: { maxTokens: 1000 } })).message).toMatch(/^budget\.maxTokens is 1000, but the first model call of strategy codeact alone may take \d{4} tokens: raise --max-tokens\.$/);
    expect((await room.refusal({ budget: { maxTokens: 3000 }, prompt: 'x'.repeat(20_000) })).message).toMatch(/alone may take 1\d{4} tokens/);
  });

  test('a cost bound below one call, and not a bound of nothing on a model that costs nothing', async () => {
    const env = { OPENAI_API_KEY: 'k' };
    expect((await room.refusal({ budget: { maxCostUsd: 0 } }, {}, env)).message).toMatch(/^budget\.maxCostUsd is 0, but one call of model "gpt-4\.1" alone may cost 0\.0\d{3} US dollars: raise --max-cost-usd, or lower model\.maxOutputTokens\.$/);
    expect((await room.refusal({ budget: { maxCostUsd: 0.01 } }, {}, env)).code).toBe('bad-request');
    const config = room.file('free.yaml', 'prices: { gpt-4.1: { prompt: 0, completion: 0 } }\n');
    expect((await room.admit({ budget: { maxCostUsd: 0 } }, { config }, { endpoint: { probe: () => Promise.resolve() } }, env)).budget.maxCostUsd).toBe(0);
  });

  test('but not a cost bound on a model whose price is known', async () => expect((await room.admit({ budget: { maxCostUsd: 0.5 } })).budget.maxCostUsd).toBe(0.5));
});

describe('before anything starts', () => {
  test('a model that the endpoint does not list is refused with the names that are near', async () => {
    const server = await answeringServer(status(200, { object: 'list', data: ['gpt-4o', 'gpt-4o-mini', 'llama-3', 'o3'].map((id) => ({ id })) }));
    try {
      expect(await room.refusal({ model: 'gtp-4o' }, {}, { OPENAI_BASE_URL: server.url })).toEqual({
        code: 'model-not-found',
        message: `127.0.0.1:${server.port} serves no model "gtp-4o"; it has gpt-4o, o3, gpt-4o-mini, llama-3. Name a model the endpoint serves with --model or NL2CODE_MODEL.`,
      });
    } finally {
      await server.close();
    }
  });

  test('a proxy that is not there is named, and nothing is said to be tried again', async () => {
    const env = { OPENAI_BASE_URL: 'https://models.test/v1', NL2CODE_MODEL: 'm', HTTPS_PROXY: 'http://anna:geheim@127.0.0.1:1' };
    expect(await room.refusal({}, {}, env)).toEqual({
      code: 'proxy-unreachable',
      message: "The proxy 127.0.0.1:1 (from HTTPS_PROXY) can't be reached: nothing listens there. Correct the proxy setting, or name the endpoint in NO_PROXY.",
    });
  });
});

describe('an output is refused that is', () => {
  refusedWith([
    ['absolute', { outputs: ['/etc/x.csv'] }, 'The output path "/etc/x.csv" is absolute: give one relative to the script\'s folder, such as "x.csv".'],
    ['outside', { outputs: ['a/../../x.csv'] }, 'The output path "a/../../x.csv" leaves the script\'s folder by "..": give one below it.'],
    ['empty', { outputs: [''] }, 'An output path is "": name a file such as "result.csv".'],
    ['a folder', { outputs: ['out/'] }, 'The output path "out/" is a folder: name a file in it.'],
    ['the folder itself', { outputs: ['./'] }, 'The output path "./" is a folder: name a file in it.'],
    ['named twice', { outputs: ['x.csv', './x.csv'] }, 'The output "x.csv" is named twice: name it once.'],
    ['a folder of another', { outputs: ['x', 'x/y.csv'] }, 'The outputs "x" and "x/y.csv" can\'t both exist, one is a folder of the other: rename one.'],
    ['the name of an input', { inputs: ['in.csv'], outputs: ['in.csv'] }, 'The output "in.csv" has the name of an input, and inputs are read-only: choose another name.'],
    ['below the name of an input', { inputs: ['in.csv'], outputs: ['in.csv/x'] }, 'The output "in.csv/x" has the name of an input, and inputs are read-only: choose another name.'],
    ['no path', { outputs: [{ file: 'x' }] }, 'An output has the unknown key "file": the known keys are path.'],
    ['unusable', { outputs: ['a\0b'] }, 'The output path "a\\u0000b" is no usable file name: choose one of at most 1000 characters without a NUL.'],
    ['no list', { outputs: 'x.csv' }, 'outputs is "x.csv": give a list of paths.'],
  ]);

  test('but not one in a folder, with spaces or Unicode', async () => {
    expect((await room.admit({ outputs: ['out/a b.csv', { path: './größe "x".parquet' }] })).outputs).toEqual([{ path: 'out/a b.csv' }, { path: 'größe "x".parquet' }]);
  });
});

describe('labels and key are refused that are', () => {
  refusedWith([
    ['a number', { labels: { team: 7 } }, 'The label "team" is 7, which is not text: put it in quotes.'],
    ['no object', { labels: ['a'] }, 'labels is ["a"]: give an object of texts.'],
    ['too long', { labels: { a: 'x'.repeat(257) } }, 'The label "a" is too long or empty: use a key of 1 to 64 and a value of at most 256 characters.'],
    ['an empty key', { idempotencyKey: ' ' }, 'The idempotency key is " ": give a text of 1 to 256 characters, or leave it out.'],
  ]);
});

describe('the model endpoint is asked before anything starts', () => {
  let server: Server;
  let url: string;
  beforeAll(async () => {
    server = createServer((request, response) => {
      const wrongKey = request.headers.authorization !== 'Bearer right';
      response.writeHead(wrongKey ? 401 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(wrongKey ? { error: { message: 'bad key', code: 'invalid_api_key' } } : { object: 'list', data: [{ id: 'known', object: 'model' }] }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  });
  afterAll(() => server.close());
  const env = (key: string, model = 'known') => ({ OPENAI_BASE_URL: url, OPENAI_API_KEY: key, NL2CODE_MODEL: model });

  test('a model it serves is admitted', async () => expect((await room.admit({}, {}, {}, env('right'))).model).toBe('known'));
  test('a model it does not serve is refused', async () => expect((await room.refusal({}, {}, env('right', 'unknown'))).code).toBe('model-not-found'));
  test('a wrong key is refused, and not repeated', async () => {
    const { code, message } = await room.refusal({}, {}, env('wrong-key-123456789'));
    expect(code).toBe('model-auth');
    expect(message).not.toContain('wrong-key');
  });
  test('an endpoint that is not there is refused', async () => {
    const { code, message } = await room.refusal({}, {}, { OPENAI_BASE_URL: 'http://127.0.0.1:9/v1', NL2CODE_MODEL: 'm' });
    expect(code).toBe('model-unreachable');
    expect(message).toContain('Check OPENAI_BASE_URL and the network.');
  });
});
