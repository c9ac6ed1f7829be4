import { afterEach, describe, expect, test } from 'vitest';
import { createOpenAiEndpoint, type OpenAiEndpointOptions } from '../../src/model/openai-endpoint.js';
import type { ModelDelta, ModelRequest } from '../../src/model/endpoint.js';
import { Nl2codeError } from '../../src/session/error-table.js';
import { type Answer, answeringServer, delta, DONE, failure, hanging, status, stream, usage } from './answering-server.js';

const KEY = 'sk-canary-0123456789abcdefghij';
const REQUEST: ModelRequest = {
  model: 'm',
  messages: [
    { role: 'system', content: 'You write code.' },
    { role: 'user', content: 'Do it.' },
  ],
  tools: [{ name: 'run_cell', description: 'Runs code.', parameters: { type: 'object', properties: { code: { type: 'string' } } } }],
  maxOutputTokens: 1000,
};

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((s) => s.close()));
});

async function against(answers: Answer[], more: Partial<OpenAiEndpointOptions> = {}) {
  const server = await answeringServer(...answers);
  open.push(server);
  const endpoint = createOpenAiEndpoint({ baseUrl: server.url, apiKey: KEY, stallMs: 5_000, ...more });
  const ask = (request: Partial<ModelRequest> = {}, onDelta?: (d: ModelDelta) => void) =>
    endpoint.complete({ ...REQUEST, ...request }, { signal: new AbortController().signal, onDelta });
  return { server, endpoint, ask };
}

async function errorOf(promise: Promise<unknown>): Promise<Nl2codeError> {
  const error: unknown = await promise.then(
    () => new Error('it did not fail'),
    (e: unknown) => e,
  );
  if (!(error instanceof Nl2codeError)) throw error;
  return error;
}

describe('a reply', () => {
  test('comes with its text, usage, model and request id, and its text is reported as it arrives', async () => {
    const { ask, server } = await against([stream(delta({ role: 'assistant', content: '' }), delta({ content: 'Hel' }), delta({ content: 'lo' }, 'stop'), usage(40, 10, 2), DONE)]);
    const deltas: ModelDelta[] = [];
    expect(await ask({}, (d) => deltas.push(d))).toEqual({
      content: 'Hello',
      calls: [],
      finishReason: 'stop',
      usage: { promptTokens: 40, cachedTokens: 10, completionTokens: 2 },
      usageEstimated: false,
      model: 'm-1',
      requestId: 'req-1',
    });
    expect(deltas).toEqual([
      { text: 'Hel', in: 'content' },
      { text: 'lo', in: 'content' },
    ]);
    expect(server.seen[0]).toMatchObject({ path: '/v1/chat/completions', headers: { authorization: `Bearer ${KEY}` }, body: { max_tokens: 1000, stream_options: { include_usage: true } } });
    expect(server.seen[0]?.body).not.toHaveProperty('temperature');
  });

  test('puts a call that comes in pieces together, beside a second one', async () => {
    const piece = (index: number, id: string | undefined, name: string | undefined, args: string) => delta({ tool_calls: [{ index, id, type: 'function', function: { name, arguments: args } }] });
    const { ask } = await against([stream(piece(0, 'a', 'run_cell', ''), piece(0, undefined, undefined, '{"co'), piece(1, 'b', 'submit', '{}'), piece(0, undefined, undefined, 'de":"1"}'), delta({}, 'tool_calls'), DONE)]);
    const reply = await ask();
    expect(reply.calls).toEqual([
      { id: 'a', name: 'run_cell', arguments: '{"code":"1"}' },
      { id: 'b', name: 'submit', arguments: '{}' },
    ]);
    expect(reply.usageEstimated).toBe(true);
    expect(reply.usage.completionTokens).toBe(4);
  });

  test('names calls without an id, or with one already used, by their place in the conversation', async () => {
    const { ask } = await against([stream(delta({ tool_calls: [{ function: { name: 'a', arguments: '{}' } }, { function: { name: 'b', arguments: { x: 1 } } }] }, 'tool_calls'), DONE), stream(delta({ tool_calls: [{ index: 0, id: 'call_2_0', function: { name: 'a', arguments: '{}' } }] }, 'stop'), DONE)]);
    const first = await ask();
    expect(first.calls).toEqual([
      { id: 'call_2_0', name: 'a', arguments: '{}' },
      { id: 'call_2_1', name: 'b', arguments: '{"x":1}' },
    ]);
    const second = await ask({ messages: [...REQUEST.messages, { role: 'assistant', content: '', calls: first.calls }] });
    expect(second.calls[0]?.id).toBe('call_3_0');
  });

  test('keeps calls apart that share an index but not an id', async () => {
    const call = (id: string) => ({ index: 0, id, function: { name: 'run_cell', arguments: '{}' } });
    const { ask } = await against([stream(delta({ tool_calls: [call('a')] }), delta({ tool_calls: [call('b')] }, 'tool_calls'), DONE)]);
    expect((await ask()).calls.map((c) => c.id)).toEqual(['a', 'b']);
  });

  test('may be empty: the model said nothing', async () => {
    const { ask } = await against([stream(delta({ role: 'assistant' }), delta({}, 'stop'), DONE)]);
    expect(await ask()).toMatchObject({ content: '', calls: [], finishReason: 'stop' });
  });

  test('is whole without a finish reason when the end mark came, also from a server that then keeps the connection', async () => {
    const { ask } = await against([hanging(delta({ content: 'yes' }), DONE)]);
    expect(await ask()).toMatchObject({ content: 'yes', finishReason: 'stop' });
  });

  test('is understood from an endpoint that does not stream', async () => {
    const { ask } = await against([status(200, { id: 'x', model: 'm-2', choices: [{ message: { content: [{ type: 'text', text: 'hi' }] }, finish_reason: 'stop' }] })]);
    expect(await ask()).toMatchObject({ content: 'hi', model: 'm-2', usageEstimated: true, requestId: 'x' });
  });

  test('beyond its largest size is cut, ends as length and ends the request', async () => {
    const { ask, server } = await against([hanging(...Array.from({ length: 50 }, () => delta({ content: 'x'.repeat(10_000) })))]);
    const reply = await ask({ maxOutputTokens: 10 });
    expect(reply.content.length).toBe(65_536);
    expect(reply.finishReason).toBe('length');
    await server.seen[0]?.gone;
  });

  test('holds no NUL and no half of a character', async () => {
    const { ask } = await against([stream('data: {"choices":[{"delta":{"content":"a\\u0000b\\ud83d"},"finish_reason":"stop"}]}\n\n', DONE)]);
    expect((await ask()).content).toBe('a\ufffdb\ufffd');
  });
});

describe('what is sent', () => {
  test('a conversation keeps its calls and their results, and no tools means no list', async () => {
    const { ask, server } = await against([stream(delta({ content: 'k' }, 'stop'), DONE)]);
    await ask({
      tools: [],
      messages: [
        { role: 'user', content: 'u' },
        { role: 'assistant', content: '', calls: [{ id: 'a', name: 'run_cell', arguments: '{"code":"1"}' }] },
        { role: 'tool', callId: 'a', content: 'bad' },
      ],
    });
    expect(server.seen[0]?.body).not.toHaveProperty('tools');
    expect(server.seen[0]?.body.messages).toEqual([
      { role: 'user', content: 'u' },
      { role: 'assistant', content: null, tool_calls: [{ id: 'a', type: 'function', function: { name: 'run_cell', arguments: '{"code":"1"}' } }] },
      { role: 'tool', tool_call_id: 'a', content: 'bad' },
    ]);
  });

  test('an empty key sends no Authorization header', async () => {
    const { ask, server } = await against([stream(delta({ content: 'k' }, 'stop'), DONE)], { apiKey: '' });
    await ask();
    expect(server.seen[0]?.headers.authorization).toBeUndefined();
  });

  test('parameters the endpoint refuses by name are spelled otherwise at once, and remembered', async () => {
    const picky: Answer = (response, seen) => {
      if ('stream_options' in seen.body) return failure(400, 'Unrecognized request argument supplied: stream_options')(response, seen);
      if ('max_tokens' in seen.body) return failure(400, "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", { param: 'max_tokens', code: 'unsupported_parameter' })(response, seen);
      if ('temperature' in seen.body) return failure(422, 'extra fields not permitted: temperature')(response, seen);
      return stream(delta({ content: 'ok' }, 'stop'), DONE)(response, seen);
    };
    const { ask, server } = await against([picky], { temperature: 0.1 });
    expect((await ask()).content).toBe('ok');
    expect(server.seen).toHaveLength(4);
    await ask();
    expect(server.seen).toHaveLength(5);
    expect(server.seen[4]?.body).toMatchObject({ max_completion_tokens: 1000 });
  });

  test('a refusal that does not go away is not repeated, and not remembered', async () => {
    const { ask, server } = await against([failure(400, 'unknown field max_tokens or max_completion_tokens')]);
    expect((await errorOf(ask())).code).toBe('model-bad-request');
    expect(server.seen).toHaveLength(3);
    await errorOf(ask());
    expect(server.seen[3]?.body).toHaveProperty('max_tokens');
  });
});

describe('a failure', () => {
  test.each<[string, Answer, string, Partial<Nl2codeError>?]>([
    ['401', failure(401, `Incorrect API key provided: ${KEY}`), 'model-auth'],
    ['403', failure(403, 'forbidden'), 'model-auth'],
    ['404 of a model', failure(404, 'The model `m` does not exist', { code: 'model_not_found' }), 'model-not-found'],
    ['404 of a page', status(404, '<html>nope</html>'), 'model-not-found'],
    ['429 with seconds', failure(429, 'slow down', {}, { 'retry-after': '7' }), 'model-rate-limited', { retryAfterMs: 7_000 }],
    ['429 with milliseconds', failure(429, 'slow down', {}, { 'retry-after-ms': '250', 'retry-after': '7' }), 'model-rate-limited', { retryAfterMs: 250 }],
    ['429 without a time', failure(429, 'slow down'), 'model-rate-limited', { retryAfterMs: undefined }],
    ['429 of the quota', failure(429, 'You exceeded your current quota', { code: 'insufficient_quota', type: 'insufficient_quota' }), 'model-quota'],
    ['402', failure(402, 'Insufficient Balance'), 'model-quota'],
    ['400 of the context', failure(400, "This model's maximum context length is 8192 tokens", { code: 'context_length_exceeded' }), 'model-context-length'],
    ['400', failure(400, 'bad schema'), 'model-bad-request'],
    ['400 of a playbook', failure(400, 'turn 2 expected NaN', { code: 'playbook_mismatch' }), 'playbook-mismatch'],
    ['408', failure(408, 'timeout'), 'model-server-error'],
    ['409', failure(409, 'conflict'), 'model-server-error'],
    ['500', failure(500, 'oops'), 'model-server-error'],
    ['503 with seconds', failure(503, 'later', {}, { 'retry-after': '2' }), 'model-server-error', { retryAfterMs: 2_000 }],
    ['a redirect', status(302, '', { location: 'https://elsewhere.example/' }), 'model-bad-request'],
    ['a web page', status(200, '<html>Log in</html>'), 'model-garbage'],
    ['JSON of another kind', status(200, { hello: 'world' }), 'model-garbage'],
    ['JSON that is cut', (r) => r.writeHead(200, { 'content-type': 'application/json' }).end('{"choices": ['), 'model-garbage'],
    ['200 with an error inside', status(200, { error: { message: 'busy', code: 429 } }), 'model-rate-limited'],
    ['an event that is not JSON', stream('data: <nonsense>\n\n', DONE), 'model-garbage'],
    ['a stream of something else', stream({ choices: 'none' }), 'model-garbage'],
    ['a stream without a choice', stream(usage(1, 0, 1), DONE), 'model-garbage'],
    ['an error inside a stream', stream(delta({ content: 'a' }), { error: { message: 'overloaded', type: 'server_error' } }), 'model-server-error'],
    ['a rate limit inside a stream', stream({ error: { message: 'slow', type: 'rate_limit_exceeded' } }), 'model-rate-limited'],
    ['a stream that ends too soon', stream(delta({ content: 'half' })), 'model-stream-cut'],
    ['a stream that breaks', (r, s) => (hanging(delta({ content: 'half' }), 'data: {"choices":[{"del')(r, s), setImmediate(() => r.destroy())), 'model-stream-cut'],
  ])('%s', async (_name, answer, code, more = {}) => {
    const { ask } = await against([answer]);
    const error = await errorOf(ask());
    expect(error.code).toBe(code);
    expect(error).toMatchObject(more);
  });

  test('429 with a date waits until then', async () => {
    const { ask } = await against([failure(429, 'slow down', {}, { 'retry-after': new Date(Date.now() + 30_000).toUTCString() })]);
    const { retryAfterMs } = await errorOf(ask());
    expect(retryAfterMs).toBeGreaterThan(27_000);
    expect(retryAfterMs).toBeLessThanOrEqual(30_000);
  });

  test('nothing sent for the stall time, before or after the headers, is a stall', async () => {
    const before = await against([() => undefined], { stallMs: 60 });
    expect((await errorOf(before.ask())).code).toBe('model-stalled');
    const after = await against([hanging(delta({ content: 'half' }))], { stallMs: 60 });
    expect((await errorOf(after.ask())).code).toBe('model-stalled');
    await after.server.seen[0]?.gone;
  });

  test('a slow endpoint that keeps sending is not a stall', async () => {
    const drip: Answer = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      let left = 8;
      const timer = setInterval(() => {
        left--;
        if (left > 0) return void response.write(': keepalive\n\n');
        clearInterval(timer);
        response.end(`data: ${JSON.stringify(delta({ content: 'late' }, 'stop'))}\n\n${DONE}`);
      }, 50);
    };
    const { ask } = await against([drip], { stallMs: 250 });
    expect((await ask()).content).toBe('late');
  });

  test('nobody listening, and an unknown host, are unreachable', async () => {
    const { server, ask } = await against([status(200, {})]);
    await server.close();
    open.length = 0;
    const refused = await errorOf(ask());
    expect(refused.code).toBe('model-unreachable');
    expect(refused.message).toContain('nothing listens there');
    const nowhere = createOpenAiEndpoint({ baseUrl: 'https://no-such-host.invalid/v1', apiKey: KEY, stallMs: 5_000 });
    expect((await errorOf(nowhere.complete(REQUEST, { signal: new AbortController().signal }))).code).toBe('model-unreachable');
  });

  test('quotes at most 300 characters of the endpoint and never the key, whole or in part', async () => {
    const { ask, endpoint } = await against([failure(401, `key ${KEY} (${KEY.slice(0, 12)}***${KEY.slice(-9)}) ${'x'.repeat(5_000)}`)]);
    for (const error of [await errorOf(ask()), await errorOf(endpoint.probe('m'))]) {
      const all = `${error.message} ${error.stack} ${JSON.stringify(error)} ${String(error.cause)} ${(error.cause as Error).stack}`;
      expect(error.message).not.toContain('x'.repeat(300));
      for (let i = 0; i + 8 <= KEY.length; i++) expect(all).not.toContain(KEY.slice(i, i + 8));
    }
  });
});

describe('cancelling', () => {
  test('in mid-stream throws the reason and closes the socket at once', async () => {
    const { endpoint, server } = await against([hanging(delta({ content: 'half' }))]);
    const stop = new AbortController();
    const reason = new Error('stop now');
    let at = 0;
    const asked = endpoint.complete(REQUEST, { signal: stop.signal, onDelta: () => ((at = Date.now()), stop.abort(reason)) });
    await expect(asked).rejects.toBe(reason);
    expect(((await server.seen[0]?.gone) ?? Infinity) - at).toBeLessThan(100);
  });

  test('before the headers, and before the request, throws the reason', async () => {
    const stop = new AbortController();
    const reason = new Error('stop now');
    const { endpoint, server } = await against([() => stop.abort(reason)]);
    await expect(endpoint.complete(REQUEST, { signal: stop.signal })).rejects.toBe(reason);
    await server.seen[0]?.gone;
    await expect(endpoint.complete(REQUEST, { signal: stop.signal })).rejects.toBe(reason);
    expect(server.seen).toHaveLength(1);
  });
});

describe('a probe', () => {
  const list = (...ids: string[]) => status(200, { object: 'list', data: ids.map((id) => ({ id })) });

  test('passes when the model is listed, under its own name, as models/… or with :latest', async () => {
    for (const id of ['m', 'models/m', 'm:latest']) await (await against([list('other', id)])).endpoint.probe('m');
  });

  test('names up to five models that exist when this one does not', async () => {
    const { endpoint } = await against([list('gpt-a', 'gpt-b', 'x1', 'x2', 'x3', 'x4', 'x5')]);
    const error = await errorOf(endpoint.probe('gpt-z'));
    expect(error.code).toBe('model-not-found');
    expect(error.message).toContain('"gpt-z"; it has gpt-a, gpt-b, x1, x2, x3 and 2 more');
  });

  test('passes at an endpoint without a model list', async () => {
    for (const answer of [failure(404, 'no'), failure(405, 'no'), failure(501, 'no'), status(200, { models: [] }), list()]) await (await against([answer])).endpoint.probe('m');
  });

  test('fails for a wrong key, a web page and an endpoint that does not answer', async () => {
    expect((await errorOf((await against([failure(401, 'no')])).endpoint.probe('m'))).code).toBe('model-auth');
    expect((await errorOf((await against([status(200, '<!doctype html>')])).endpoint.probe('m'))).code).toBe('model-garbage');
    expect((await errorOf((await against([() => undefined])).endpoint.probe('m', { timeoutMs: 80 }))).code).toBe('model-unreachable');
  });
});

test.each([
  ['no address', 'localhost:8000'],
  ['another scheme', 'ftp://host/v1'],
  ['a password in it', 'https://user:secret@host/v1'],
  ['a key over plain http', 'http://models.example/v1'],
])('an address is refused: %s', (_name, baseUrl) => {
  expect(() => createOpenAiEndpoint({ baseUrl, apiKey: KEY, stallMs: 1 })).toThrow(/OPENAI_BASE_URL/);
});
