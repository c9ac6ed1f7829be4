import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { probeModel } from '../../src/cli/checks.js';
import { runProgram } from '../../src/cli/program.js';
import { createTerminal } from '../../src/cli/terminal.js';
import { resolveConfig } from '../../src/config.js';
import { type Answer, answeringServer, delta, DONE, failure, status, stream, usage } from '../model/answering-server.js';

let dir: string;
beforeAll(() => void (dir = mkdtempSync(join(tmpdir(), 'nl2code-doctor-'))));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const models = status(200, { object: 'list', data: [{ id: 'm' }] });
const add = (index: number, a: number) => ({ index, id: `c${index}`, function: { name: 'add', arguments: JSON.stringify({ a, b: a + 1 }) } });

/** An endpoint that lists `m`, and answers what it is asked as `able` has it. */
const endpoint = (able: { refuses?: Record<string, Answer>; calls?: number; counts?: boolean; schema?: boolean; whole?: boolean } = {}): Answer => (response, seen) => {
  if (seen.path.endsWith('/models')) return models(response, seen);
  const { refuses = {}, calls = 2, counts = true, schema = true, whole = false } = able;
  const refused = Object.keys(refuses).find((name) => name in seen.body);
  if (refused) return refuses[refused]!(response, seen);
  const tools = 'tools' in seen.body;
  const content = tools ? '' : schema && 'response_format' in seen.body ? '{"answer": 7}' : 'Seven.';
  const made = tools ? Array.from({ length: calls }, (_, i) => add(i, i * 2 + 1)) : [];
  if (whole) return status(200, { id: 'x', model: 'm', choices: [{ message: { role: 'assistant', content, tool_calls: made }, finish_reason: 'stop' }] })(response, seen);
  return stream(delta({ content, tool_calls: made }, 'stop'), ...(counts && 'stream_options' in seen.body ? [usage(60, 0, 20)] : []), DONE)(response, seen);
};

const env = (url: string, more: Record<string, string> = {}) => ({ HOME: dir, OPENAI_BASE_URL: url, NL2CODE_MODEL: 'm', ...more });
async function probed(answer: Answer, more: Record<string, string> = {}) {
  const server = await answeringServer(answer);
  try {
    const result = (await probeModel(resolveConfig({ env: env(server.url, more), cwd: dir })))!;
    return { ...result, by: Object.fromEntries(result.abilities.map(({ name, has, detail }) => [name, `${has}: ${detail}`])), seen: server.seen, server };
  } finally {
    await server.close();
  }
}

describe('an endpoint that is asked what it can do', () => {
  test('shows every ability, in two short replies', async () => {
    const { by, spent, seen, server } = await probed(endpoint(), { OPENAI_API_KEY: 'k' });
    expect(by).toEqual({
      reachable: `yes: 127.0.0.1:${server.port}`,
      key: 'yes: accepted',
      model: 'yes: m, which answers as m-1',
      streaming: 'yes: replies are seen while they are written',
      usage: 'yes: tokens are counted by the endpoint',
      'tool calls': 'yes: called as offered',
      'several calls': 'yes: more than one in a reply',
      'JSON schema': 'yes: replies keep to a schema',
      'system role': 'yes: rules have their own role',
      'token limit': 'yes: max_tokens',
      temperature: 'yes: can be set with model.temperature',
      price: 'fallback: not known: costs are not counted and --max-cost-usd is refused; declare it under prices, zero for a free model',
    });
    expect(spent).toEqual({ calls: 2, tokens: 160, usd: null });
    expect(seen).toHaveLength(3);
    expect(seen.slice(1).every(({ body }) => Number(body.max_tokens) <= 256)).toBe(true);
  });

  test('shows for each one it lacks what stands in', async () => {
    const refusal = (name: string) => failure(400, `Unsupported parameter: '${name}' is not supported with this model.`, { param: name });
    const names = ['tools', 'stream_options', 'max_tokens', 'temperature', 'response_format'];
    const { by } = await probed(endpoint({ refuses: Object.fromEntries(names.map((name) => [name, refusal(name)])) }));
    expect(by).toMatchObject({
      key: 'yes: none is set, and none is asked for',
      usage: 'fallback: tokens are not counted: they are estimated at 4 characters each',
      'tool calls': 'fallback: refused: calls are written into the text as JSON',
      'several calls': 'fallback: one call a reply: a request takes more turns',
      'JSON schema': 'fallback: refused: JSON is looked for in the text, and nothing rests on it',
      'token limit': 'yes: max_completion_tokens',
      temperature: "fallback: refused: the endpoint's own is used",
    });
  });

  test('that takes everything and heeds nothing is seen through', async () => {
    const { by } = await probed(endpoint({ calls: 1, schema: false, whole: true }));
    expect(by).toMatchObject({ streaming: expect.stringMatching(/^fallback: replies come whole/) as string, 'several calls': expect.stringMatching(/^fallback/) as string, 'JSON schema': expect.stringMatching(/^fallback: not kept to/) as string });
    expect((await probed(endpoint({ calls: 0 }))).by['tool calls']).toBe('fallback: offered, but not called: a call that stands in the text as JSON is understood too');
  });

  test.each<[string, Answer, string]>([
    ['key', failure(401, 'no'), 'model-auth'],
    ['model', status(200, { data: [{ id: 'other' }] }), 'serves no model "m"; it has other.'],
    ['reply', (response, seen) => (seen.path.endsWith('/models') ? models : failure(500, 'boom'))(response, seen), 'The endpoint failed.'],
  ])('says at which line it ends: %s', async (line, answer, said) => {
    const { abilities } = await probed(answer, { OPENAI_API_KEY: 'k' });
    expect(abilities[0]).toMatchObject({ name: line, has: 'no', detail: said === 'model-auth' ? expect.stringContaining('the key is not accepted') as string : expect.stringContaining(said) as string });
  });
});

test('doctor --model prints it, says what it cost, and exits 1 when the model does not answer', async () => {
  const run = async (answer: Answer, ...words: string[]) => {
    const server = await answeringServer(answer);
    let said = '';
    const out = { write: (text: string) => (said += text) };
    const terminal = createTerminal({ stdin: {}, stdout: out, stderr: out, env: {} });
    const code = await runProgram(['doctor', '--model', ...words, '--data-dir', join(dir, 'data')], { terminal, env: { ...process.env, ...env(server.url), OPENAI_API_KEY: '' }, cwd: dir, stdin: Readable.from([]), exitCode: 0 });
    await server.close();
    return { code, said, port: server.port };
  };
  const fine = await run(endpoint());
  expect(fine.said).toContain(`\nThe model endpoint (m)\n✓ reachable     127.0.0.1:${fine.port}\n✓ key           none is set, and none is asked for\n`);
  expect(fine.said).toContain('– price         not known: ');
  expect(fine.said).toContain('  asking took 2 replies and 160 tokens\n');
  const broken = await run((response, seen) => (seen.path.endsWith('/models') ? models : failure(500, 'boom'))(response, seen), 'm', '--json');
  expect(broken.code).toBe(1);
  expect((JSON.parse(broken.said) as { model: { abilities: object[] } }).model.abilities[0]).toMatchObject({ name: 'reply', has: 'no' });
});
