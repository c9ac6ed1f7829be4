import type { ChatMessage } from './endpoint.js';

/**
 * A conversation for an endpoint that takes no tools: calls stand in the reply's text as the rules of the system prompt have them
 * written, and their results are what the user says next. Pure.
 */
export function withoutTools(messages: readonly ChatMessage[]): ChatMessage[] {
  const names = new Map<string, string>();
  return messages.map((message): ChatMessage => {
    if (message.role === 'tool') return { role: 'user', content: `Result of ${names.get(message.callId) ?? 'a call'}:\n${message.content}` };
    if (message.role !== 'assistant' || message.calls.length === 0) return message;
    names.clear();
    for (const [i, call] of message.calls.entries()) names.set(call.id, `call ${i + 1}, ${call.name.slice(0, 64)}`);
    const calls = message.calls.map((call) => `{"tool": ${JSON.stringify(call.name)}, "args": ${call.arguments || '{}'}}`);
    return { role: 'assistant', content: [message.content, ...calls].filter(Boolean).join('\n\n'), calls: [] };
  });
}

/** System messages as the user's, for an endpoint without that role. Pure. */
export function withoutSystem(messages: readonly ChatMessage[]): ChatMessage[] {
  return messages.map((message) => (message.role === 'system' ? { role: 'user', content: message.content } : message));
}

/** Messages of one role in a row as one, for an endpoint whose roles must alternate. Calls and results stay apart. Pure. */
export function joined(messages: readonly ChatMessage[]): ChatMessage[] {
  const all: ChatMessage[] = [];
  for (const message of messages) {
    const last = all.at(-1);
    const fits = last?.role === message.role && message.role !== 'tool' && !hasCalls(last) && !hasCalls(message);
    if (fits) all[all.length - 1] = { ...last, content: [last.content, message.content].filter(Boolean).join('\n\n') };
    else all.push(message);
  }
  return all;
}

const hasCalls = (message: ChatMessage): boolean => message.role === 'assistant' && message.calls.length > 0;
