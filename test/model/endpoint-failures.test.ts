import { describe, expect, test } from 'vitest';
import { createOpenAiEndpoint } from '../../src/model/openai-endpoint.js';
import type { Nl2codeError } from '../../src/session/error-table.js';
import { type Answer, delta, DONE, failure, hanging, status, stream, usage } from './answering-server.js';
import { against, errorOf, KEY, open, REQUEST } from './endpoint-room.js';

describe('a failure', () => {
  test.each<[string, Answer, string, Partial<Nl2codeError>?]>([
    ['401', failure(401, `Incorrect API key provided: ${KEY}`), 'model-auth'],
    ['403', failure(403, 'forbidden'), 'model-auth'],
    ['404 of a model', failure(404, 'The model `m` does not exist', { code: 'model_not_found' }), 'model-not-found'],
    ['404 of a page', status(404, '<html>nope</html>'), 'model-not-found'],
    [
      '429 with seconds',
      failure(429, 'slow down', {}, { 'retry-after': '7' }),
      'model-rate-limited',
      { retryAfterMs: 7_000 },
    ],
    [
      '429 with milliseconds',
      failure(429, 'slow down', {}, { 'retry-after-ms': '250', 'retry-after': '7' }),
      'model-rate-limited',
      { retryAfterMs: 250 },
    ],
    ['429 without a time', failure(429, 'slow down'), 'model-rate-limited', { retryAfterMs: undefined }],
    [
      '429 of the quota',
      failure(429, 'You exceeded your current quota', { code: 'insufficient_quota', type: 'insufficient_quota' }),
      'model-quota',
    ],
    ['402', failure(402, 'Insufficient Balance'), 'model-quota'],
    [
      '400 of the context',
      failure(400, "This model's maximum context length is 8192 tokens", { code: 'context_length_exceeded' }),
      'model-context-length',
    ],
    ['400', failure(400, 'bad schema'), 'model-bad-request'],
    ['400 of a playbook', failure(400, 'turn 2 expected NaN', { code: 'playbook_mismatch' }), 'playbook-mismatch'],
    ['408', failure(408, 'timeout'), 'model-server-error'],
    ['409', failure(409, 'conflict'), 'model-server-error'],
    ['500', failure(500, 'oops'), 'model-server-error'],
    [
      '503 with seconds',
      failure(503, 'later', {}, { 'retry-after': '2' }),
      'model-server-error',
      { retryAfterMs: 2_000 },
    ],
    ['a redirect', status(302, '', { location: 'https://elsewhere.example/' }), 'model-bad-request'],
    ['a web page', status(200, '<html>Log in</html>'), 'model-garbage'],
    ['JSON of another kind', status(200, { hello: 'world' }), 'model-garbage'],
    [
      'JSON that is cut',
      (r) => r.writeHead(200, { 'content-type': 'application/json' }).end('{"choices": ['),
      'model-garbage',
    ],
    ['200 with an error inside', status(200, { error: { message: 'busy', code: 429 } }), 'model-rate-limited'],
    ['an event that is not JSON', stream('data: <nonsense>\n\n', DONE), 'model-garbage'],
    ['a stream of something else', stream({ choices: 'none' }), 'model-garbage'],
    ['a stream without a choice', stream(usage(1, 0, 1), DONE), 'model-garbage'],
    [
      'an error inside a stream',
      stream(delta({ content: 'a' }), { error: { message: 'overloaded', type: 'server_error' } }),
      'model-server-error',
    ],
    [
      'a rate limit inside a stream',
      stream({ error: { message: 'slow', type: 'rate_limit_exceeded' } }),
      'model-rate-limited',
    ],
    ['a stream that ends too soon', stream(delta({ content: 'half' })), 'model-stream-cut'],
    [
      'a stream that breaks',
      (r, s) => (hanging(delta({ content: 'half' }), 'data: {"choices":[{"del')(r, s), setImmediate(() => r.destroy())),
      'model-stream-cut',
    ],
  ])('%s', async (_name, answer, code, more = {}) => {
    const { ask } = await against([answer]);
    const error = await errorOf(ask());
    expect(error.code).toBe(code);
    expect(error).toMatchObject(more);
  });

  test('429 with a date waits until then', async () => {
    const { ask } = await against([
      failure(429, 'slow down', {}, { 'retry-after': new Date(Date.now() + 30_000).toUTCString() }),
    ]);
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
      let left = 10;
      const timer = setInterval(() => {
        left--;
        if (left > 0) return void response.write(': keepalive\n\n');
        clearInterval(timer);
        response.end(`data: ${JSON.stringify(delta({ content: 'late' }, 'stop'))}\n\n${DONE}`);
      }, 150);
    };
    const { ask } = await against([drip], { stallMs: 1_000 });
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
    expect((await errorOf(nowhere.complete(REQUEST, { signal: new AbortController().signal }))).code).toBe(
      'model-unreachable',
    );
  });

  test('quotes at most 300 characters of the endpoint and never the key, whole or in part', async () => {
    const { ask, endpoint } = await against([
      failure(401, `key ${KEY} (${KEY.slice(0, 12)}***${KEY.slice(-9)}) ${'x'.repeat(5_000)}`),
    ]);
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
    const asked = endpoint.complete(REQUEST, {
      signal: stop.signal,
      onDelta: () => ((at = Date.now()), stop.abort(reason)),
    });
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
    for (const answer of [
      failure(404, 'no'),
      failure(405, 'no'),
      failure(501, 'no'),
      status(200, { models: [] }),
      list(),
    ])
      await (await against([answer])).endpoint.probe('m');
  });

  test('fails for a wrong key, a web page and an endpoint that does not answer', async () => {
    expect((await errorOf((await against([failure(401, 'no')])).endpoint.probe('m'))).code).toBe('model-auth');
    expect((await errorOf((await against([status(200, '<!doctype html>')])).endpoint.probe('m'))).code).toBe(
      'model-garbage',
    );
    expect((await errorOf((await against([() => undefined])).endpoint.probe('m', { timeoutMs: 80 }))).code).toBe(
      'model-unreachable',
    );
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
