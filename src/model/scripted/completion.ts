import type { FaultKind } from './fault.js';
import { FAULT_ID, FAULT_TEXT, type Played } from './player.js';
import { promptTokens, type Sent } from './sent.js';

/** One reply on the wire: the pieces of a stream, or one JSON document. Equal requests give equal bytes. */
export interface Completion {
  contentType: string;
  /** Written in order; a token is 4 characters of the reply. */
  pieces: { text: string; tokens: number }[];
}

type Reply = Extract<Played, { kind: 'reply' }>;

/** Tokens of a piece when nobody watches it come in. */
const COARSE = 16;
/** When every reply was made, so that a repeat has the same bytes. */
const CREATED = 1_767_225_600;

/** Writes a reply as an OpenAI-compatible endpoint does. `sha` names the request. Pure. */
export function toCompletion(reply: Reply, sent: Sent, sha: string): Completion {
  const head = { id: `chatcmpl-${sha.slice(0, 24)}`, created: CREATED, model: sent.model };
  const calls = reply.calls.map((c) => ({
    id: c.id,
    type: 'function',
    function: { name: c.tool, arguments: c.arguments },
  }));
  const finish = calls.length > 0 ? 'tool_calls' : 'stop';
  const { prompt, cached } = promptTokens(sent);
  const completion = Math.ceil(
    (reply.say.length + calls.reduce((n, c) => n + c.function.name.length + c.function.arguments.length, 0)) / 4,
  );
  const usage = {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: cached },
  };
  if (!sent.stream) {
    const message = { role: 'assistant', content: reply.say || null, ...(calls.length > 0 && { tool_calls: calls }) };
    const text = JSON.stringify({
      ...head,
      object: 'chat.completion',
      choices: [{ index: 0, message, finish_reason: finish }],
      usage,
    });
    return { contentType: 'application/json', pieces: [{ text, tokens: completion }] };
  }
  const event = (delta: unknown, finish_reason: string | null = null) =>
    `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
  const size = 4 * (reply.tokensPerSecond > 0 ? 1 : COARSE);
  const split = (text: string) =>
    Array.from({ length: Math.ceil(text.length / size) }, (_, i) => text.slice(i * size, (i + 1) * size));
  const pieces = [{ text: event({ role: 'assistant', content: '' }), tokens: 0 }];
  for (const part of split(reply.say))
    pieces.push({ text: event({ content: part }), tokens: Math.ceil(part.length / 4) });
  calls.forEach((c, index) => {
    pieces.push({
      text: event({ tool_calls: [{ index, ...c, function: { name: c.function.name, arguments: '' } }] }),
      tokens: 1,
    });
    for (const part of split(c.function.arguments))
      pieces.push({
        text: event({ tool_calls: [{ index, function: { arguments: part } }] }),
        tokens: Math.ceil(part.length / 4),
      });
  });
  pieces.push({ text: event({}, finish), tokens: 0 });
  if (sent.includeUsage)
    pieces.push({
      text: `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices: [], usage })}\n\n`,
      tokens: 0,
    });
  pieces.push({ text: 'data: [DONE]\n\n', tokens: 0 });
  return { contentType: 'text/event-stream', pieces };
}

/** A reply as a worse model would give it; the next reply takes the same turn. Pure. */
export function spoiled(reply: Reply, kind: FaultKind, at: number): Reply {
  if (kind !== 'malformed-call' && kind !== 'unknown-tool' && kind !== 'no-call') return reply;
  if (kind === 'no-call')
    return reply.calls.length === 0 ? reply : { ...reply, say: `${reply.say}\n${FAULT_TEXT}`, calls: [] };
  const call = reply.calls.at(-1) ?? { id: '', tool: 'run_cell', arguments: '{"code": "1 + 1"}' };
  const bad =
    kind === 'malformed-call'
      ? { ...call, arguments: call.arguments.slice(0, Math.ceil(call.arguments.length / 2)) }
      : { ...call, tool: 'open_browser' };
  return { ...reply, calls: [{ ...bad, id: `${FAULT_ID}${at}` }] };
}
