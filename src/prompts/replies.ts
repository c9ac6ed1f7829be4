import type { ModelReply } from '../model/endpoint.js';
import { callArguments } from './ask.js';

/** Name of the tool a review answers with. */
export const REVIEW_TOOL = 'review';

/** Files a submit call promises; empty when it names none. */
export function promisedOutputs(reply: ModelReply, callId: string): string[] {
  const raw = reply.calls.find((call) => call.id === callId);
  const outputs = raw && callArguments(raw.arguments)?.outputs;
  return Array.isArray(outputs) ? outputs.filter((path): path is string => typeof path === 'string').slice(0, 50) : [];
}

/** The review a reply holds, by call or as JSON text; undefined when it holds none (then verification alone decides). */
export function reviewOf(reply: ModelReply): { accept: boolean; summary: string } | undefined {
  const raw = reply.calls.find((call) => call.name === REVIEW_TOOL)?.arguments ?? reply.content;
  const args = callArguments(raw);
  if (typeof args?.accept !== 'boolean') return undefined;
  return { accept: args.accept, summary: typeof args.summary === 'string' ? args.summary : '' };
}
