import { createHash } from 'node:crypto';

/** A chat completion request as the scripted model reads it: plain text by role. */
export interface Sent {
  messages: SentMessage[];
  /** Names of the tools offered. */
  tools: string[];
  stream: boolean;
  includeUsage: boolean;
  model: string;
  /** Characters of the tools' declarations, which count as prompt. */
  toolChars: number;
}

export interface SentMessage {
  role: string;
  text: string;
  /** Ids of the calls of an assistant message. */
  calls: string[];
  /** Characters, calls included. */
  chars: number;
}

/** Reads a request body, or says what is wrong with it. Pure. */
export function readSent(body: unknown): Sent | string {
  if (!isObject(body) || !Array.isArray(body.messages) || body.messages.length === 0)
    return 'messages must be a list that is not empty';
  if (typeof body.model !== 'string') return 'model must be a string';
  const messages: SentMessage[] = [];
  for (const m of body.messages as unknown[]) {
    if (!isObject(m) || typeof m.role !== 'string') return 'every message needs a role';
    const text = textOf(m.content);
    const calls = Array.isArray(m.tool_calls) ? (m.tool_calls as unknown[]).filter(isObject) : [];
    messages.push({
      role: m.role,
      text,
      calls: calls.map((c) => String(c.id)),
      chars: text.length + (calls.length ? JSON.stringify(calls.map((c) => c.function)).length : 0),
    });
  }
  const tools = Array.isArray(body.tools) ? (body.tools as unknown[]) : [];
  return {
    messages,
    tools: tools.flatMap((t) =>
      isObject(t) && isObject(t.function) && typeof t.function.name === 'string' ? [t.function.name] : [],
    ),
    stream: body.stream === true,
    includeUsage: isObject(body.stream_options) && body.stream_options.include_usage === true,
    model: body.model,
    toolChars: tools.length ? JSON.stringify(tools).length : 0,
  };
}

/** First line of the system prompt, where the strategy is named; empty when there is none. Pure. */
export function strategyLine(sent: Sent): string {
  return sent.messages.find((m) => m.role === 'system')?.text.split('\n')[0] ?? '';
}

/** What the requester wrote: the first user message up to its lists of files. Pure. */
export function promptOf(sent: Sent): string {
  const first = firstUser(sent);
  return /^Request\n([\s\S]*?)\n\n(?:Input files|Promised outputs)\n/.exec(first)?.[1] ?? first;
}

/** Names a conversation across its requests: the first user message and the strategy decide. Pure. */
export function conversationKey(sent: Sent): string {
  return createHash('sha256')
    .update(`${strategyLine(sent)}\n${firstUser(sent)}`)
    .digest('hex')
    .slice(0, 16);
}

/**
 * Prompt tokens at 4 characters each, and how many of them an earlier request of the conversation had sent: all before
 * the last reply. Pure.
 */
export function promptTokens(sent: Sent): { prompt: number; cached: number } {
  const chars = (messages: SentMessage[]) => messages.reduce((sum, m) => sum + m.chars, sent.toolChars);
  const lastReply = sent.messages.findLastIndex((m) => m.role === 'assistant');
  return {
    prompt: Math.ceil(chars(sent.messages) / 4),
    cached: lastReply < 0 ? 0 : Math.floor(chars(sent.messages.slice(0, lastReply)) / 4),
  };
}

function firstUser(sent: Sent): string {
  return sent.messages.find((m) => m.role === 'user')?.text ?? '';
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return (content as unknown[]).map((p) => (isObject(p) && typeof p.text === 'string' ? p.text : '')).join('');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
