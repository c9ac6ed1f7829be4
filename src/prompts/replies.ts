import type { ModelReply } from '../model/endpoint.js';
import { callArguments } from './ask.js';
import { callsOf } from './calls.js';
import { jsonIn } from './json-in-text.js';
import { SUBMIT_TOOL } from './submit.js';

/** Name of the tool a review answers with. */
export const REVIEW_TOOL = 'review';

/** Files a submit call promises; empty when it names none. */
export function promisedOutputs(reply: ModelReply, callId: string): string[] {
  const raw = callsOf(reply).find((call) => call.id === callId);
  const outputs = raw && callArguments(raw.arguments)?.outputs;
  return Array.isArray(outputs) ? outputs.filter((path): path is string => typeof path === 'string').slice(0, 50) : [];
}

/** What a submit call says to the requester; null when there is no such call, or it says nothing. */
export function answerOf(reply: ModelReply): string | null {
  const raw = callsOf(reply).find((call) => call.name === SUBMIT_TOOL);
  const answer = raw && callArguments(raw.arguments)?.answer;
  return typeof answer === 'string' && answer.trim() ? answer.slice(0, 4000) : null;
}

/** The review a reply holds, by call or as JSON in its text; undefined when it holds none (then verification alone decides). */
export function reviewOf(reply: ModelReply): { accept: boolean; summary: string } | undefined {
  const raw = callsOf(reply).find((call) => call.name === REVIEW_TOOL);
  const found = raw ? [callArguments(raw.arguments)] : jsonIn(reply.content);
  const args = found.findLast((value): value is Record<string, unknown> => typeof (value as Record<string, unknown> | null)?.accept === 'boolean');
  return args && { accept: args.accept as boolean, summary: typeof args.summary === 'string' ? args.summary : '' };
}
