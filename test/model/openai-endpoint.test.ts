import { describe, expect, test } from 'vitest';
import type { ModelDelta } from '../../src/model/endpoint.js';
import { type Answer, delta, DONE, failure, hanging, status, stream, usage } from './answering-server.js';
import { against, errorOf, KEY, REQUEST } from './endpoint-room.js';

describe('a reply', () => {
  test('comes with its text, usage, model and request id, and its text is reported as it arrives', async () => {
    const { ask, server } = await against([
      stream(
        delta({ role: 'assistant', content: '' }),
        delta({ content: 'Hel' }),
        delta({ content: 'lo' }, 'stop'),
        usage(40, 10, 2),
        DONE,
      ),
    ]);
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
    expect(server.seen[0]).toMatchObject({
      path: '/v1/chat/completions',
      headers: { authorization: `Bearer ${KEY}` },
      body: { max_tokens: 1000, stream_options: { include_usage: true } },
    });
    expect(server.seen[0]?.body).not.toHaveProperty('temperature');
  });

  test('puts a call that comes in pieces together, beside a second one', async () => {
    const piece = (index: number, id: string | undefined, name: string | undefined, args: string) =>
      delta({ tool_calls: [{ index, id, type: 'function', function: { name, arguments: args } }] });
    const { ask } = await against([
      stream(
        piece(0, 'a', 'run_cell', ''),
        piece(0, undefined, undefined, '{"co'),
        piece(1, 'b', 'submit', '{}'),
        piece(0, undefined, undefined, 'de":"1"}'),
        delta({}, 'tool_calls'),
        DONE,
      ),
    ]);
    const reply = await ask();
    expect(reply.calls).toEqual([
      { id: 'a', name: 'run_cell', arguments: '{"code":"1"}' },
      { id: 'b', name: 'submit', arguments: '{}' },
    ]);
    expect(reply.usageEstimated).toBe(true);
    expect(reply.usage.completionTokens).toBe(4);
  });

  test('names calls without an id, or with one already used, by their place in the conversation', async () => {
    const { ask } = await against([
      stream(
        delta(
          {
            tool_calls: [
              { function: { name: 'a', arguments: '{}' } },
              { function: { name: 'b', arguments: { x: 1 } } },
            ],
          },
          'tool_calls',
        ),
        DONE,
      ),
      stream(
        delta({ tool_calls: [{ index: 0, id: 'call_2_0', function: { name: 'a', arguments: '{}' } }] }, 'stop'),
        DONE,
      ),
    ]);
    const first = await ask();
    expect(first.calls).toEqual([
      { id: 'call_2_0', name: 'a', arguments: '{}' },
      { id: 'call_2_1', name: 'b', arguments: '{"x":1}' },
    ]);
    const second = await ask({
      messages: [...REQUEST.messages, { role: 'assistant', content: '', calls: first.calls }],
    });
    expect(second.calls[0]?.id).toBe('call_3_0');
  });

  test('keeps calls apart that share an index but not an id', async () => {
    const call = (id: string) => ({ index: 0, id, function: { name: 'run_cell', arguments: '{}' } });
    const { ask } = await against([
      stream(delta({ tool_calls: [call('a')] }), delta({ tool_calls: [call('b')] }, 'tool_calls'), DONE),
    ]);
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
    const { ask } = await against([
      status(200, {
        id: 'x',
        model: 'm-2',
        choices: [{ message: { content: [{ type: 'text', text: 'hi' }] }, finish_reason: 'stop' }],
      }),
    ]);
    expect(await ask()).toMatchObject({ content: 'hi', model: 'm-2', usageEstimated: true, requestId: 'x' });
  });

  test('beyond its largest size is cut, ends as length and ends the request', async () => {
    const { ask, server } = await against([
      hanging(...Array.from({ length: 50 }, () => delta({ content: 'x'.repeat(10_000) }))),
    ]);
    const reply = await ask({ maxOutputTokens: 10 });
    expect(reply.content.length).toBe(65_536);
    expect(reply.finishReason).toBe('length');
    await server.seen[0]?.gone;
  });

  test('holds no NUL and no half of a character', async () => {
    const { ask } = await against([
      stream('data: {"choices":[{"delta":{"content":"a\\u0000b\\ud83d"},"finish_reason":"stop"}]}\n\n', DONE),
    ]);
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
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'a', type: 'function', function: { name: 'run_cell', arguments: '{"code":"1"}' } }],
      },
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
      if ('stream_options' in seen.body)
        return failure(400, 'Unrecognized request argument supplied: stream_options')(response, seen);
      if ('max_tokens' in seen.body)
        return failure(
          400,
          "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
          { param: 'max_tokens', code: 'unsupported_parameter' },
        )(response, seen);
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
