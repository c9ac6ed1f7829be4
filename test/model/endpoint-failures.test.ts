import type { ApplicationFailure } from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import { toActivityFailure } from '../../src/model/classify-error.js';
import { createOpenAiEndpoint } from '../../src/model/openai-endpoint.js';
import { type Answer, delta, DONE, failure, hanging, status } from './answering-server.js';
import { against, errorOf, KEY, open, REQUEST } from './endpoint-room.js';
import { FAILURES } from './failure-rows.js';

describe('a failure', () => {
  test.each(FAILURES)('$name: one sentence, and tried again or not', async ({ answer, code, again, sees, retryAfterMs }) => {
    const { ask, server } = await against([answer]);
    const error = await errorOf(ask());
    expect({ code: error.code, sees: error.message }).toEqual({ code, sees: sees.replaceAll('ENDPOINT', new URL(server.url).host) });
    expect((toActivityFailure(error) as ApplicationFailure).nonRetryable).toBe(!again);
    expect(error.retryAfterMs).toBe(retryAfterMs);
    // What can't be mended by another spelling is asked once.
    expect(server.seen).toHaveLength(1);
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
    const said = (url: string) => `${new URL(url).host} sent nothing for 0.06 s. The reply stood still; the session tries again by itself.`;
    expect(await errorOf(before.ask())).toMatchObject({ code: 'model-stalled', message: said(before.server.url) });
    const after = await against([hanging(delta({ content: 'half' }))], { stallMs: 60 });
    expect(await errorOf(after.ask())).toMatchObject({ code: 'model-stalled', message: said(after.server.url) });
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
    const REMEDY = 'Check OPENAI_BASE_URL and the network; the session tries again by itself.';
    expect(refused).toMatchObject({ code: 'model-unreachable', message: `${new URL(server.url).host} can't be reached: nothing listens there. ${REMEDY}` });
    const nowhere = createOpenAiEndpoint({ baseUrl: 'https://no-such-host.invalid/v1', apiKey: KEY, stallMs: 5_000 });
    expect(await errorOf(nowhere.complete(REQUEST, { signal: new AbortController().signal }))).toMatchObject({
      code: 'model-unreachable',
      message: `no-such-host.invalid can't be reached: the host name is not known. ${REMEDY}`,
    });
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
    expect(((await server.seen[0]?.gone) ?? Infinity) - at).toBeLessThan(1_000);
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
