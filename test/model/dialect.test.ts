import { describe, expect, test } from 'vitest';
import type { ChatMessage } from '../../src/model/endpoint.js';
import { type Answer, delta, DONE, failure, status, stream } from './answering-server.js';
import { converse } from './asking-room.js';
import { against, errorOf, REQUEST } from './endpoint-room.js';

const whole = status(200, { id: 'x', model: 'm', choices: [{ message: { role: 'assistant', content: 'whole' }, finish_reason: 'stop' }], usage: { prompt_tokens: 3, completion_tokens: 1 } });
const fine = stream(delta({ content: 'ok' }, 'stop'), DONE);
/** An endpoint that refuses whatever has this in its body. */
const without = (has: (body: Record<string, unknown>, messages: { role: string; content: string }[]) => boolean, refusal: Answer): Answer => (response, seen) =>
  (has(seen.body, seen.body.messages as { role: string; content: string }[]) ? refusal : fine)(response, seen);

/** A conversation that was begun where tools exist. */
const MIXED: ChatMessage[] = [
  { role: 'system', content: 'Rules.' },
  { role: 'user', content: 'Do it.' },
  { role: 'assistant', content: 'Looking.', calls: [{ id: 'a', name: 'run_cell', arguments: '{"code": "1"}' }, { id: 'b', name: 'submit', arguments: '{}' }] },
  { role: 'tool', callId: 'a', content: '1' },
  { role: 'tool', callId: 'b', content: 'Not run.' },
  { role: 'user', content: 'Go on.' },
];

/** How servers say that they, or the model, take no tools. */
const NO_TOOLS: [string, Answer][] = [
  ['Ollama', failure(400, 'registry.ollama.ai/library/gemma3:4b does not support tools', { type: 'api_error' })],
  ['vLLM', failure(400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set', { type: 'BadRequestError', code: 400 })],
  ['llama.cpp', failure(500, 'tools param requires --jinja flag', { type: 'server_error', code: 500 })],
  ['an older llama.cpp', status(500, { code: 500, message: 'Unsupported param: tools', type: 'server_error' })],
  ['LiteLLM', failure(400, "litellm.UnsupportedParamsError: together_ai does not support parameters: ['tools'], for model=m.")],
  ['OpenRouter', failure(404, 'No endpoints found that support tool use.', { code: 404 })],
  ['OpenAI', failure(400, "Unsupported parameter: 'tools' is not supported with this model.", { param: 'tools', code: 'unsupported_parameter' })],
  ['DeepSeek', failure(400, 'deepseek-reasoner does not support Function Calling')],
  ['a strict server', status(422, { detail: [{ type: 'extra_forbidden', loc: ['body', 'tools'], msg: 'Extra inputs are not permitted' }] })],
];

describe('an endpoint without tools', () => {
  test.each(NO_TOOLS)('is asked in text from its first refusal on: %s', async (_name, refusal) => {
    const { ask, server, endpoint } = await against([without((body) => 'tools' in body, refusal)]);
    expect((await ask({ messages: MIXED })).content).toBe('ok');
    expect(server.seen.map(({ body }) => 'tools' in body)).toEqual([true, false]);
    expect(server.seen[1]!.body.messages).toEqual([
      { role: 'system', content: 'Rules.' },
      { role: 'user', content: 'Do it.' },
      { role: 'assistant', content: 'Looking.\n\n{"tool": "run_cell", "args": {"code": "1"}}\n\n{"tool": "submit", "args": {}}' },
      { role: 'user', content: 'Result of call 1, run_cell:\n1' },
      { role: 'user', content: 'Result of call 2, submit:\nNot run.' },
      { role: 'user', content: 'Go on.' },
    ]);
    await ask({ messages: MIXED });
    expect(server.seen).toHaveLength(3);
    expect(endpoint.dialect('m').tools).toBe(false);
    // Another model of the same endpoint may take them.
    expect(endpoint.dialect('other').tools).toBe(true);
  });

  test('is worked with to the end, and its refusal costs nothing', async () => {
    const call: Answer = stream(delta({ content: 'I run it: {"tool": "run_python", "args": {"code": "print(42)"}}' }, 'stop'), DONE);
    const [, refusal] = NO_TOOLS[0]!;
    const talk = await converse([refusal, call, fine, fine]);
    expect(talk.told(2)).toEqual({ role: 'user', content: 'Result of call 1, run_python:\n42' });
    expect(talk.spent).toMatchObject({ calls: 3, lostCalls: 0 });
    expect(talk.lost).toMatchObject({ calls: 0, reservedTokens: 0 });
    expect(talk.seen.map(({ body }) => 'tools' in body)).toEqual([true, false, false, false]);
  });
});

describe('an endpoint', () => {
  test('without the system role gets the rules from the user', async () => {
    const { ask, server } = await against([without((_, messages) => messages[0]!.role === 'system', failure(400, 'System role not supported'))]);
    await ask();
    expect(server.seen[1]!.body.messages).toEqual([{ role: 'user', content: 'You write code.\n\nDo it.' }]);
    expect(server.seen[1]!.body).toHaveProperty('tools');
  });

  test('whose roles must alternate gets messages of one role as one, calls and results apart', async () => {
    const twice = (messages: { role: string }[]) => messages.some(({ role }, i) => role !== 'tool' && role === messages[i - 1]?.role);
    const { ask, server } = await against([without((_, messages) => twice(messages), failure(400, 'Conversation roles must alternate user/assistant/user/assistant/...'))]);
    await ask({ messages: [...MIXED, { role: 'user', content: 'Now.' }] });
    const sent = server.seen[1]!.body.messages as { role: string; content: string }[];
    expect(sent.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'tool', 'tool', 'user']);
    expect(sent.at(-1)!.content).toBe('Go on.\n\nNow.');
  });

  test('that does not stream is asked for whole replies', async () => {
    const { ask, server, endpoint } = await against([failure(400, 'Your organization must be verified to stream this model.', { param: 'stream', code: 'unsupported_value' }), whole]);
    expect(await ask()).toMatchObject({ content: 'whole', usageEstimated: false });
    expect(server.seen[1]!.body).not.toHaveProperty('stream');
    expect(server.seen[1]!.body).not.toHaveProperty('stream_options');
    expect(endpoint.dialect('m').stream).toBe(false);
  });

  test('that answers a stream with a whole reply now and then goes on being asked for streams; twice in a row, it is asked for none', async () => {
    const { ask, server, endpoint } = await against([whole, fine, whole, whole, whole]);
    const streamed = [];
    for (let i = 0; i < 5; i += 1) {
      await ask();
      streamed.push(endpoint.dialect('m').stream);
    }
    expect(streamed).toEqual([true, true, true, false, false]);
    expect(server.seen.map(({ body }) => 'stream' in body)).toEqual([true, true, true, true, false]);
  });

  test('that allows shorter replies only is asked for those, and remembers', async () => {
    const { ask, server } = await against([failure(400, 'max_tokens is too large: 1000. This model supports at most 512 completion tokens, whereas you provided 1000.', { param: 'max_tokens' }), fine]);
    await ask();
    await ask();
    expect(server.seen.map(({ body }) => body.max_tokens)).toEqual([1000, 512, 512]);
  });

  test.each([
    ["'max_tokens' or 'max_completion_tokens' is too large: 1000. This model's maximum context length is 4096 tokens and your request has 3500 input tokens (1000 > 4096 - 3500).", 596],
    ["This model's maximum context length is 4096 tokens. However, you requested 4500 tokens (3500 in the messages, 1000 in the completion). Please reduce the length of the messages or completion.", 596],
    ["This model's maximum context length is 4096 tokens. However, you requested 1000 output tokens and your prompt contains at least 3500 input tokens, for a total of at least 4500 tokens.", 596],
  ])('with little room left is asked for what fits, this once: %s', async (message, fits) => {
    const { ask, server } = await against([failure(400, message), fine]);
    await ask();
    await ask();
    expect(server.seen.map(({ body }) => body.max_tokens)).toEqual([1000, fits, 1000]);
  });

  test('without room for a reply is too small for the conversation', async () => {
    const { ask, server } = await against([failure(400, "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4000 in the messages, 1000 in the completion).")]);
    expect((await errorOf(ask())).code).toBe('model-context-length');
    expect(server.seen).toHaveLength(1);
  });

  test('that refuses one thing after another is met in all of them, and what it told is remembered together', async () => {
    const picky: Answer = (response, seen) => {
      const { tools, stream_options, temperature, max_tokens, response_format } = seen.body;
      if (tools) return failure(400, 'm does not support tools')(response, seen);
      if (stream_options) return failure(400, 'Unrecognized request argument supplied: stream_options')(response, seen);
      if (temperature !== undefined) return failure(400, "Unsupported value: 'temperature' does not support 0.1 with this model.", { param: 'temperature', code: 'unsupported_value' })(response, seen);
      if (max_tokens) return failure(400, "Unsupported parameter: 'max_tokens' is not supported with this model.", { param: 'max_tokens' })(response, seen);
      if (response_format) return failure(400, "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.", { param: 'response_format' })(response, seen);
      return fine(response, seen);
    };
    const { ask, server, endpoint } = await against([picky], { temperature: 0.1 });
    await ask({ schema: { type: 'object' } });
    expect(server.seen).toHaveLength(6);
    await ask({ schema: { type: 'object' } });
    expect(server.seen).toHaveLength(7);
    expect(endpoint.dialect('m')).toMatchObject({ tools: false, streamOptions: false, temperature: false, cap: 'max_completion_tokens', schema: false, stream: true, system: true });
  });

  test.each([
    ['a tool it finds malformed', failure(400, "Invalid schema for function 'run_cell': schema must be an object")],
    ['a failure of its own', failure(500, 'internal error')],
    ['a model it does not have', failure(404, 'model not found')],
  ])('is not asked otherwise for %s', async (_name, answer) => {
    const { ask, server } = await against([answer]);
    await errorOf(ask());
    expect(server.seen).toHaveLength(1);
  });
});

test('a request without tools forgets nothing that another one learned meanwhile', async () => {
  const { ask, endpoint } = await against([without((body) => 'tools' in body, failure(400, 'm does not support tools'))]);
  await Promise.all([ask(), ask({ tools: [], messages: REQUEST.messages })]);
  expect(endpoint.dialect('m').tools).toBe(false);
});
