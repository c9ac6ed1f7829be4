import { canonical } from '../session/canonical.js';
import type { ChatMessage } from '../model/endpoint.js';

const lines = new WeakMap<ChatMessage, string>();

/** A message as one line of the record of what was sent. Messages are never changed, so each is written once however often it is sent. */
export function lineOf(message: ChatMessage): string {
  let line = lines.get(message);
  if (line === undefined) lines.set(message, (line = canonical(message)));
  return line;
}
