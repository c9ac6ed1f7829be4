import type { Price } from '../config.js';
import { Nl2codeError, standing, type ErrorCode } from '../session/error-table.js';
import type { Usage } from '../session/usage.js';
import type { ModelReply, ModelRequest } from './endpoint.js';
import type { OpenAiEndpoint } from './openai-endpoint.js';
import { costUsd } from './prices.js';

/** One thing that an endpoint can do, or what stands in for it. */
export interface Ability {
  name: string;
  /** `yes`; `fallback` where the product does without; `no` where nothing works without. */
  has: 'yes' | 'fallback' | 'no';
  detail: string;
}

export interface Probed {
  abilities: Ability[];
  /** What asking has cost; `usd` is null where the price is not known. */
  spent: { calls: number; tokens: number; usd: number | null };
}

const WAIT_MS = 60_000;
/** Enough for two short calls, also of a model that thinks before it writes. */
const REPLY_TOKENS = 256;

/**
 * Asks an endpoint what it can do for a model: its list of models, then two short replies, a few hundred tokens in all. What it refuses
 * is learned as in a session, so that each line says what a session will do. Never throws for a failing endpoint.
 */
export async function probeAbilities(endpoint: OpenAiEndpoint, options: { model: string; keyed: boolean; price: Price | undefined }): Promise<Probed> {
  const { model, price } = options;
  const abilities: Ability[] = [];
  const usages: Usage[] = [];
  const add = (name: string, has: Ability['has'], detail: string) => void abilities.push({ name, has, detail });
  const either = (name: string, yes: boolean, then: string, otherwise: string) => add(name, yes ? 'yes' : 'fallback', yes ? then : otherwise);
  const ask = async (request: Partial<ModelRequest> & { messages: ModelRequest['messages'] }): Promise<ModelReply> => {
    const reply = await endpoint.complete({ model, tools: [], maxOutputTokens: REPLY_TOKENS, ...request }, { signal: AbortSignal.timeout(WAIT_MS) });
    usages.push(reply.usage);
    return reply;
  };
  try {
    await endpoint.probe(model);
    const called = await ask(TWO_CALLS);
    const formed = await ask(A_NUMBER);
    const dialect = endpoint.dialect(model);
    add('reachable', 'yes', `${endpoint.host}${endpoint.via === null ? '' : ` through the proxy ${endpoint.via}`}`);
    add('key', 'yes', options.keyed ? 'accepted' : 'none is set, and none is asked for');
    add('model', 'yes', `${model}${called.model === model ? '' : `, which answers as ${called.model}`}`);
    either('streaming', dialect.stream, 'replies are seen while they are written', 'replies come whole: none is seen before its end, and model.stallMs must be longer than one takes');
    either('usage', !called.usageEstimated, 'tokens are counted by the endpoint', 'tokens are not counted: they are estimated at 4 characters each');
    if (dialect.tools) either('tool calls', called.calls.length > 0, 'called as offered', 'offered, but not called: a call that stands in the text as JSON is understood too');
    else add('tool calls', 'fallback', 'refused: calls are written into the text as JSON');
    either('several calls', called.calls.length > 1, 'more than one in a reply', 'one call a reply: a request takes more turns');
    either('JSON schema', dialect.schema && isAnswer(formed.content), 'replies keep to a schema', `${dialect.schema ? 'not kept to' : 'refused'}: JSON is looked for in the text, and nothing rests on it`);
    either('system role', dialect.system, 'rules have their own role', 'refused: rules go with the first message of the user');
    add('token limit', 'yes', `${dialect.cap}${dialect.mostOutputTokens === null ? '' : `, at most ${dialect.mostOutputTokens} tokens a reply`}`);
    either('temperature', dialect.temperature, 'can be set with model.temperature', "refused: the endpoint's own is used");
  } catch (error) {
    const { code, message } = error instanceof Nl2codeError ? error : { code: undefined, message: error instanceof Error && error.name === 'TimeoutError' ? `${endpoint.host} did not answer within ${WAIT_MS / 1000} s.` : String(error) };
    add((code && BROKEN[code]) ?? 'reply', 'no', standing(message));
  }
  either('price', price !== undefined, price ? `$${price.prompt} per million prompt tokens, $${price.completion} per million of replies` : '', 'not known: costs are not counted and --max-cost-usd is refused; declare it under prices, zero for a free model');
  const tokens = usages.reduce((sum, usage) => sum + usage.promptTokens + usage.completionTokens, 0);
  return { abilities, spent: { calls: usages.length, tokens, usd: price ? usages.reduce((sum, usage) => sum + costUsd(usage, price), 0) : null } };
}

/** The line that an error belongs to; any other is one of the reply. */
const BROKEN: Partial<Record<ErrorCode, string>> = {
  'model-unreachable': 'reachable',
  'model-untrusted': 'reachable',
  'proxy-unreachable': 'reachable',
  'proxy-refused': 'reachable',
  'model-auth': 'key',
  'model-forbidden': 'key',
  'model-quota': 'key',
  'model-not-found': 'model',
};

const number = { type: 'integer' };
const TWO_CALLS: Partial<ModelRequest> & { messages: ModelRequest['messages'] } = {
  messages: [
    { role: 'system', content: 'You test tool calls. Say nothing, call the tool.' },
    { role: 'user', content: 'Call add twice in one reply: once with a=1 and b=2, once with a=3 and b=4.' },
  ],
  tools: [{ name: 'add', description: 'Adds two numbers.', parameters: { type: 'object', properties: { a: number, b: number }, required: ['a', 'b'], additionalProperties: false } }],
};
const A_NUMBER: typeof TWO_CALLS = {
  messages: [{ role: 'user', content: 'How much is 3 + 4? Answer with {"answer": N} and nothing else.' }],
  schema: { type: 'object', properties: { answer: number }, required: ['answer'], additionalProperties: false },
};

function isAnswer(text: string): boolean {
  try {
    return typeof (JSON.parse(text) as { answer?: unknown } | null)?.answer === 'number';
  } catch {
    return false;
  }
}
