import type { ModelReply, RawCall, ToolSpec } from '../model/endpoint.js';
import type { Json } from '../session/json.js';
import { jsonIn } from './json-in-text.js';

/** Calls of one reply that are looked at. */
export const MAX_CALLS = 8;
/** Id of the code that a reply holds without any call. */
export const REPLY_ID = 'reply';

/** The calls of a reply: the native ones or, where there are none, those written into its text as JSON. Text calls have the ids `text-1`, `text-2`, … Pure. */
export function callsOf(reply: ModelReply): RawCall[] {
  const calls = reply.calls.length > 0 ? reply.calls : jsonIn(reply.content).flatMap((value) => (Array.isArray(value) ? value : [value])).flatMap(textCall);
  return calls.slice(0, MAX_CALLS).map((call, i) => (reply.calls.length > 0 ? call : { ...call, id: `text-${i + 1}` }));
}

/** One call in any of the usual spellings: `tool` and `args`, or `name` and `arguments`, also inside `function`. */
function textCall(value: Json): RawCall[] {
  if (!isObject(value)) return [];
  const call = isObject(value.function) ? value.function : value;
  const args = call.args ?? call.arguments ?? call.parameters;
  const name = call.tool ?? (args === undefined ? undefined : call.name);
  if (typeof name !== 'string' || !name) return [];
  return [{ id: '', name, arguments: typeof args === 'string' ? args : JSON.stringify(args ?? {}) }];
}

function isObject(value: Json | undefined): value is Record<string, Json> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** How tools are called where the endpoint offers no tool calls: part of every system prompt that has tools. Pure. */
export function textCallRules(tools: readonly ToolSpec[]): string {
  const signature = ({ name, parameters }: ToolSpec) => `${name}(${Object.keys(parameters.properties as object).join(', ')})`;
  return `The tools are ${tools.map(signature).join(', ')}. If you have no way to call tools, write the call into your reply as JSON instead: {"tool": "${tools[0]!.name}", "args": {…}}; several are run in their order.`;
}
