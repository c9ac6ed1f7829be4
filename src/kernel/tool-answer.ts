import type { Json } from '../session/json.js';
import { Nl2codeError } from '../session/error-table.js';
import { MAX_DEPTH } from './frame-codec.js';
import { cleanText } from './guest-frames.js';
import type { OnTool, ToolAnswer, ToolRequest } from './tool-call.js';

/** What fits into one frame beside the rest of its header. */
const MAX_VALUE_BYTES = 3 << 20;
const MAX_VALUE_DEPTH = MAX_DEPTH - 4;
const MAX_TYPE_CHARS = 200;
const MAX_MESSAGE_CHARS = 4_000;

/** The answer to a call, in a form that can be sent. Rejects only with an `Nl2codeError` of the handler: nothing happened, and who asks again may be answered. */
export async function answerTo(request: ToolRequest, onTool: OnTool | undefined): Promise<ToolAnswer> {
  const named = JSON.stringify(request.name);
  if (!onTool) return failed('ToolUnavailable', `No tool can be called here, so ${named} was not.`);
  try {
    const answer = await onTool(request);
    if (!answer.ok) return failed(answer.error.type, answer.error.message);
    // What is not JSON, such as undefined, becomes what JSON has for it; what JSON has nothing for throws.
    const text = JSON.stringify(answer.value) ?? 'null';
    const bytes = Buffer.byteLength(text);
    if (bytes > MAX_VALUE_BYTES) return failed('ToolResultTooLarge', `The tool ${named} returned ${bytes} bytes, more than ${MAX_VALUE_BYTES}: ask it for less.`);
    const value = JSON.parse(text) as Json;
    if (depthOf(value) > MAX_VALUE_DEPTH) return failed('ToolResultTooDeep', `The tool ${named} returned a value that is nested deeper than ${MAX_VALUE_DEPTH}.`);
    return { ok: true, value };
  } catch (error) {
    if (error instanceof Nl2codeError) throw error;
    return error instanceof Error ? failed(error.name, error.message) : failed('Error', `The tool ${named} failed.`);
  }
}

function failed(type: string, message: string): ToolAnswer {
  return { ok: false, error: { type: cleanText(type).slice(0, MAX_TYPE_CHARS) || 'Error', message: cleanText(message).slice(0, MAX_MESSAGE_CHARS) } };
}

function depthOf(value: Json): number {
  if (value === null || typeof value !== 'object') return 0;
  return 1 + Object.values(value).reduce<number>((most, member) => Math.max(most, depthOf(member)), 0);
}
