import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ChatMessage, ModelDelta, ModelReply } from '../../src/model/endpoint.js';
import { createOpenAiEndpoint } from '../../src/model/openai-endpoint.js';
import { checkPlayable, injectFault, playbookReport, resetPlaybooks } from '../../src/model/scripted/control.js';
import { FAULTS, type FaultKind } from '../../src/model/scripted/fault.js';
import { parsePlaybook } from '../../src/model/scripted/playbook.js';
import { type ScriptedServer, startScriptedServer } from '../../src/model/scripted/server.js';
import { OPENING, request, SMALL, TOOLS } from './scripted-playbook.js';

let server: ScriptedServer;
beforeAll(async () => {
  server = await startScriptedServer({ playbooks: [parsePlaybook('count.codeact.yaml', SMALL)] });
});
afterAll(() => server.close());
beforeEach(() => resetPlaybooks(server.baseUrl));

const endpoint = (stallMs = 5_000) =>
  createOpenAiEndpoint({ baseUrl: server.baseUrl, apiKey: null, stallMs, scripted: true });
const ask = (messages: ChatMessage[], tools = TOOLS): Promise<ModelReply> =>
  endpoint().complete(request(messages, tools), { signal: new AbortController().signal });
const said = (reply: ModelReply): ChatMessage => ({ role: 'assistant', content: reply.content, calls: reply.calls });
const told = (content: string): ChatMessage => ({ role: 'user', content });

/** The conversation after a reply was answered: every call gets the same observation. */
function observed(messages: ChatMessage[], reply: ModelReply, content: string): ChatMessage[] {
  if (reply.calls.length === 0) return [...messages, said(reply), told(content)];
  return [...messages, said(reply), ...reply.calls.map((c): ChatMessage => ({ role: 'tool', callId: c.id, content }))];
}

/** Plays from the opening; gives the conversation that asks for the last observation's answer. */
async function after(...observations: string[]): Promise<ChatMessage[]> {
  let messages = OPENING;
  for (const observation of observations) messages = observed(messages, await ask(messages), observation);
  return messages;
}

const call = (reply: ModelReply) => JSON.parse(reply.calls[0]?.arguments ?? 'null') as unknown;

describe('a turn', () => {
  test('follows from the replies already sent, and fills in what it read', async () => {
    const plan = await ask(OPENING);
    expect(plan).toMatchObject({
      content: '1. Add up net_amount',
      calls: [],
      finishReason: 'stop',
      model: 'scripted',
      usageEstimated: false,
    });
    const cell = await ask(await after('Go on.'));
    expect(cell).toMatchObject({
      content: 'I add it up.',
      finishReason: 'tool_calls',
      calls: [{ id: 'call_5_0', name: 'run_cell' }],
    });
    expect(call(cell)).toEqual({
      code: 'total = table["net_amount"].sum()\nprint(f"{total:.2f} {{not a capture}}")\n',
    });
    expect(call(await ask(await after('Go on.', 'total 55')))).toEqual({ path: 'a.py', answer: 'It is 55.' });
  });

  test('is the same from a server that never saw the conversation', async () => {
    const messages = await after('Go on.', 'total 55');
    const other = await startScriptedServer({ playbooks: [parsePlaybook('count.codeact.yaml', SMALL)] });
    const there = createOpenAiEndpoint({ baseUrl: other.baseUrl, apiKey: null, stallMs: 5_000 });
    expect(await there.complete(request(messages), { signal: new AbortController().signal })).toEqual(
      await ask(messages),
    );
    await other.close();
  });

  test('counts 4 characters a token, and as cached what the request before had sent', async () => {
    const first = await ask(OPENING);
    expect(first.usage.cachedTokens).toBe(0);
    const second = await ask(await after('Go on.'));
    expect(second.usage.cachedTokens).toBe(Math.floor(first.usage.promptTokens - 0.5));
    expect(second.usage.promptTokens - second.usage.cachedTokens).toBeLessThan(12);
  });

  test.each<[string, string, ChatMessage[]]>([
    [
      'an observation it does not expect',
      'turn 3 "submit" expected /total \\d+/ and saw "no idea"',
      [
        ...OPENING,
        said({ content: 'p', calls: [] } as never),
        said({ content: 'c', calls: [] } as never),
        told('no idea'),
      ],
    ],
    ['a blanked inspection', 'turn 1 "plan" reads "column"', OPENING.slice(0, 2)],
    [
      'an inspection found elsewhere',
      'turn 1 "plan" reads "column"',
      [...OPENING.slice(0, 2), told('net_amount float64')],
    ],
    [
      'blanked observations',
      'turn 3 "submit" expected',
      [...OPENING, said({ content: 'p', calls: [] } as never), said({ content: 'c', calls: [] } as never), told('')],
    ],
  ])('%s is a mismatch', async (_name, message, messages) => {
    await expect(ask(messages)).rejects.toMatchObject({
      code: 'playbook-mismatch',
      message: expect.stringContaining(message),
    });
    const report = await playbookReport(server.baseUrl);
    expect(report.conversations[0]).toMatchObject({ ok: false, mismatches: [expect.stringContaining(message)] });
  });

  test('that calls a tool nobody offered is a mismatch', async () => {
    await expect(ask(await after('Go on.'), [])).rejects.toThrow(
      /turn 2 "add" calls run_cell, but the tools offered are: none/,
    );
  });

  test('too many is a mismatch', async () => {
    const messages = await after('Go on.', 'total 55', 'A person edited it', 'and again');
    await expect(ask(messages)).rejects.toThrow(/a call too many: all 4 turns were played/);
  });

  test('interrupted by a detour is played again, expecting what it expected', async () => {
    const lost = await after('Go on.', 'The kernel died.');
    const reload = await ask(lost);
    expect(call(reload)).toEqual({ code: 'load("net_amount")' });
    const reloaded = observed(lost, reload, '(no output)');
    const again = await ask(reloaded);
    expect(again.content).toBe('I add it up.');
    expect(call(await ask(observed(reloaded, again, 'total 7')))).toEqual({ path: 'a.py', answer: 'It is 7.' });
  });

  test('is not taken by a request of another strategy or with other words', async () => {
    for (const [i, text] of [
      [0, 'nl2code strategy: single-shot'],
      [0, 'nl2code strategy: not-codeact'],
      [1, 'Request\nForecast sales.\n\nInput files\n- "count rows.csv" (1 bytes)'],
    ] as const) {
      const messages = OPENING.map((m, at) => (at === i ? { ...m, content: text } : m)) as ChatMessage[];
      await expect(ask(messages)).rejects.toThrow(
        /No playbook matches.*count\.codeact.*OPENAI_BASE_URL and OPENAI_API_KEY/,
      );
    }
    expect((await playbookReport(server.baseUrl)).unmatched).toHaveLength(3);
  });
});

describe('the report', () => {
  test('names unused turns, and is well only when the conversation has ended with none', async () => {
    await after('Go on.');
    expect((await playbookReport(server.baseUrl)).conversations).toEqual([
      expect.objectContaining({
        playbook: 'count.codeact',
        requests: 1,
        turns: { plan: 1 },
        unused: ['add', 'submit'],
        finished: false,
        ok: false,
      }),
    ]);
    await after('Go on.', 'total 1', 'verified');
    expect((await playbookReport(server.baseUrl)).conversations[0]).toMatchObject({
      turns: { plan: 1, add: 1, submit: 1 },
      unused: [],
      finished: true,
      ok: true,
    });
  });

  test('counts an identical resend apart, and it gets identical bytes', async () => {
    const body = JSON.stringify({ model: 'scripted', stream: true, messages: OPENING, tools: [] });
    const send = async () => (await fetch(`${server.baseUrl}/chat/completions`, { method: 'POST', body })).text();
    expect(await send()).toBe(await send());
    expect((await playbookReport(server.baseUrl)).conversations[0]).toMatchObject({
      requests: 1,
      resends: 1,
      turns: { plan: 1 },
    });
  });
});

describe('a fault', () => {
  test.each<[FaultKind, string]>([
    ['rate-limited', 'model-rate-limited'],
    ['quota', 'model-quota'],
    ['server-error', 'model-server-error'],
    ['unauthorized', 'model-auth'],
    ['no-model', 'model-not-found'],
    ['context-length', 'model-context-length'],
    ['garbage', 'model-garbage'],
    ['cut', 'model-stream-cut'],
    ['stall', 'model-stalled'],
  ])('%s fails so often as asked, then the turn is played', async (kind, code) => {
    await injectFault(server.baseUrl, { kind, count: 2, retryAfter: '3' });
    const failing = () =>
      endpoint(kind === 'stall' ? 300 : 5_000).complete(request(OPENING), { signal: new AbortController().signal });
    await expect(failing()).rejects.toMatchObject({ code, ...(kind === 'rate-limited' && { retryAfterMs: 3_000 }) });
    await expect(failing()).rejects.toMatchObject({ code });
    await ask(OPENING);
    const report = await playbookReport(server.baseUrl);
    expect(report).toMatchObject({
      faults: { [kind]: 2 },
      conversations: [{ requests: 1, resends: 0, mismatches: [] }],
    });
  });

  test.each<FaultKind>(['malformed-call', 'unknown-tool', 'no-call'])(
    '%s spoils a reply without taking its turn',
    async (kind) => {
      const messages = await after('Go on.');
      const good = await ask(messages);
      await resetPlaybooks(server.baseUrl);
      await injectFault(server.baseUrl, { kind });
      const bad = await ask(messages);
      expect(bad.calls).not.toEqual(good.calls);
      expect((await ask(observed(messages, bad, 'That can not be run.'))).calls[0]?.arguments).toBe(
        good.calls[0]?.arguments,
      );
    },
  );

  test('can be asked for by one request alone', async () => {
    const send = (headers: Record<string, string>) =>
      fetch(`${server.baseUrl}/chat/completions`, {
        method: 'POST',
        headers,
        body: JSON.stringify({ model: 'scripted', messages: OPENING }),
      });
    expect((await send({ 'x-playbook-fault': 'server-error' })).status).toBe(500);
    expect((await send({})).status).toBe(200);
  });

  test('of no known kind is refused with the list', async () => {
    await expect(injectFault(server.baseUrl, { kind: 'gremlins' as FaultKind })).rejects.toThrow(FAULTS.join(', '));
  });
});

test('a reply comes at the pace its playbook states', async () => {
  const slow = SMALL.replace('match:', 'pace: { delayMs: 30, tokensPerSecond: 100 }\nmatch:').replace(
    '1. Add up',
    `1. ${'x'.repeat(56)}`,
  );
  const paced = await startScriptedServer({ playbooks: [parsePlaybook('count.codeact.yaml', slow)] });
  const deltas: ModelDelta[] = [];
  const started = Date.now();
  const slowly = createOpenAiEndpoint({ baseUrl: paced.baseUrl, apiKey: null, stallMs: 5_000 });
  const reply = await slowly.complete(request(OPENING), {
    signal: new AbortController().signal,
    onDelta: (d) => deltas.push(d),
  });
  expect(Date.now() - started).toBeGreaterThan(30 + reply.usage.completionTokens * 10 - 60);
  expect(deltas.length).toBeGreaterThan(10);
  await paced.close();
});

test('a plain request gets one JSON document', async () => {
  const response = await fetch(`${server.baseUrl}/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model: 'scripted', messages: OPENING }),
  });
  expect(await response.json()).toMatchObject({
    object: 'chat.completion',
    choices: [{ message: { content: '1. Add up net_amount' }, finish_reason: 'stop' }],
  });
});

test('a probe finds the only model, and another name is not found', async () => {
  await endpoint().probe('scripted');
  await expect(endpoint().probe('gpt-4o')).rejects.toThrow(/serves no model "gpt-4o"; it has scripted/);
  await expect(
    endpoint().complete({ ...request(OPENING), model: 'gpt-4o' }, { signal: new AbortController().signal }),
  ).rejects.toMatchObject({ code: 'model-not-found' });
});

test('whether a request is playable can be asked before anything starts', async () => {
  await checkPlayable(server.baseUrl, { prompt: 'count all ROWS', strategy: 'codeact' });
  await expect(checkPlayable(server.baseUrl, { prompt: 'forecast', strategy: 'codeact' })).rejects.toMatchObject({
    code: 'playbook-mismatch',
    message: expect.stringContaining('OPENAI_BASE_URL'),
  });
});

test('a web page can not reach it: another Host or any Origin is refused', async () => {
  const status = (headers: Record<string, string>) =>
    new Promise<number | undefined>((resolve) =>
      httpRequest(
        { port: server.port, host: '127.0.0.1', path: '/v1/models', headers },
        (r) => (r.resume(), resolve(r.statusCode)),
      ).end(),
    );
  expect(await status({ host: `evil.example:${server.port}` })).toBe(403);
  expect(await status({ origin: 'https://evil.example' })).toBe(403);
  expect(await status({})).toBe(200);
});

test('what is no chat request gets a 400, and no other path exists', async () => {
  const post = (body: string) => fetch(`${server.baseUrl}/chat/completions`, { method: 'POST', body });
  for (const body of [
    '',
    '[]',
    '{"model":"scripted","messages":[]}',
    '{"model":"scripted","messages":[1]}',
    '{"messages":[{"role":"user"}]}',
  ])
    expect((await post(body)).status).toBe(400);
  expect((await fetch(`${server.baseUrl}/embeddings`)).status).toBe(404);
});

describe('the process', () => {
  const main = new URL('../../dist/model/scripted-main.js', import.meta.url).pathname;
  const run = (...args: string[]) => spawn(process.execPath, [main, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  const folder = mkdtempSync(join(tmpdir(), 'playbooks-'));
  writeFileSync(join(folder, 'count.codeact.yaml'), SMALL);

  test.each<[string, (child: ReturnType<typeof run>) => void]>([
    ['its standard input closes', (child) => child.stdin.end()],
    ['SIGTERM comes', (child) => child.kill('SIGTERM')],
  ])('says its port in one line, and ends with 0 when %s', async (_name, end) => {
    const child = run('--port', '0', '--playbooks', folder);
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const { port } = JSON.parse(line.toString()) as { port: number };
    await checkPlayable(`http://127.0.0.1:${port}/v1`, { prompt: 'count rows', strategy: 'codeact' });
    end(child);
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  test.each([
    ['no folder', [], '--playbooks is missing'],
    ['a folder that is not there', ['--playbooks', '/no/such/folder'], '"/no/such/folder" can\'t be read'],
    ['a wrong port', ['--playbooks', folder, '--port', 'x'], '--port is "x"'],
  ])('ends with 64 and one sentence for %s', async (_name, args, sentence) => {
    const child = run(...args);
    let text = '';
    child.stderr.on('data', (d: Buffer) => (text += d.toString()));
    expect(await once(child, 'close')).toEqual([64, null]);
    expect(text).toContain(sentence);
    expect(text.trim().split('\n')).toHaveLength(1);
  });
});
