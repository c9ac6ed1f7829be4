import { afterEach, expect, test } from 'vitest';
import { createOpenAiEndpoint } from '../../src/model/openai-endpoint.js';
import { scriptedModel, type ScriptedModel, type ScriptedModelOptions, type ScriptedTurn } from '../../src/testing.js';
import { PLAYBOOKS } from '../rig/in-process.js';
import { join } from 'node:path';

let model: ScriptedModel;
afterEach(() => model.close());

const submit: ScriptedTurn = { name: 'submit', expect: [/^counted (\d+)/], read: { n: /^counted (\d+)/ }, calls: [{ tool: 'submit', arguments: { path: 'a.py', answer: 'There are {{n}}.' } }] };
const TURNS: ScriptedTurn[] = [{ say: '1. Count.' }, submit];

async function start(written: Parameters<typeof scriptedModel>[0], options?: ScriptedModelOptions) {
  model = await scriptedModel(written, options);
  const endpoint = createOpenAiEndpoint({ baseUrl: model.baseUrl, apiKey: null, stallMs: 5_000, scripted: true });
  /** The conversation so far: what was told, and what it answered. */
  return (...talk: string[]) =>
    endpoint.complete(
      {
        model: options?.model ?? 'scripted',
        maxOutputTokens: 100,
        tools: [{ name: 'submit', description: '', parameters: {} }],
        messages: [{ role: 'system', content: 'nl2code strategy: codeact' }, ...talk.map((content, i) => (i % 2 === 0 ? { role: 'user' as const, content } : { role: 'assistant' as const, content, calls: [] }))],
      },
      { signal: AbortSignal.timeout(5_000) },
    );
}

test('turns in code are played in order, with what was read', async () => {
  const ask = await start(TURNS);
  expect((await ask('Count.')).content).toBe('1. Count.');
  expect((await ask('Count.', '1. Count.', 'counted 7')).calls[0]?.arguments).toContain('There are 7.');
  await expect(model.assertPlayed()).resolves.toBeUndefined();
});

test('a turn that was not played is named', async () => {
  const ask = await start(TURNS);
  await ask('Count.');
  await expect(model.assertPlayed()).rejects.toThrow('- turns.codeact: "submit" was not played');
});

test('a surplus request and an observation that does not fit are refused and named', async () => {
  const ask = await start(TURNS);
  await ask('Count.');
  await expect(ask('Count.', '1. Count.', 'nothing')).rejects.toMatchObject({ code: 'playbook-mismatch' });
  await ask('Count.', '1. Count.', 'counted 7');
  await expect(ask('Count.', '1. Count.', 'counted 7', 'There.', 'more')).rejects.toMatchObject({ code: 'playbook-mismatch' });
  const said = await model.assertPlayed().catch((error: Error) => error.message);
  expect(said).toMatch(/turn 2 "submit" expected .* and saw "nothing"\.?\n- .*a call too many: all 2 turns were played/);
});

test('a model that nobody asked was not played', async () => {
  await start(TURNS);
  await expect(model.assertPlayed()).rejects.toThrow('nobody asked it anything');
});

test('a request without its words is refused, and so is another model', async () => {
  const ask = await start(TURNS, { words: ['rows'], model: 'mine' });
  await expect(ask('Count.')).rejects.toMatchObject({ code: 'playbook-mismatch' });
  expect((await ask('Count rows.')).content).toBe('1. Count.');
  await expect(start(TURNS, { model: 'scripted' }).then(() => createOpenAiEndpoint({ baseUrl: model.baseUrl, apiKey: null, stallMs: 5_000, scripted: true }).probe('mine'))).rejects.toMatchObject({ code: 'model-not-found' });
});

test('it fails as it is told to', async () => {
  const ask = await start(TURNS);
  await model.fail({ kind: 'rate-limited', retryAfter: '1' });
  await expect(ask('Count.')).rejects.toMatchObject({ code: 'model-rate-limited', retryAfterMs: 1000 });
});

test.each([
  ['a turn that says nothing', [{}], 'turn "turn 1" neither says nor calls anything'],
  ['a name that nothing reads', [{ say: '{{total}}' }], 'uses {{total}}, which nothing reads before it'],
  ['no turn', [], 'turns'],
])('%s is refused when it is written', async (_what, turns, why) => {
  await expect(scriptedModel(turns as ScriptedTurn[])).rejects.toThrow(why);
  await start(TURNS);
});

test('a playbook file and a folder of them play too', async () => {
  const ask = await start(join(PLAYBOOKS, 'quick.codeact.yaml'));
  expect((await ask('Write the quick numbers.')).content).toBe('1. Write the script.');
  await model.close();
  const other = await start([PLAYBOOKS]);
  expect((await other('Write the quick numbers.')).content).toBe('1. Write the script.');
});
