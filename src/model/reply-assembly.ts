import type { Usage } from '../session/usage.js';
import type { ModelDelta, ModelReply, ModelRequest, RawCall } from './endpoint.js';
import { promptChars } from './wire-format.js';

/** Characters that make one token where nobody counts. */
export const CHARS_PER_TOKEN = 4;

/** An answer whose shape is not that of a chat completion. */
export class WrongShape extends Error {
  override readonly name = 'WrongShape';
}

interface Piece {
  index: number | null;
  id: string;
  name: string;
  arguments: string;
}

/**
 * Puts one reply together from streamed chunks, or from a whole completion of an endpoint that does not stream. Every
 * field is
 * hostile: shapes are checked, sizes capped. Holds the reply of one request; does no I/O.
 */
export class ReplyAssembly {
  #content = '';
  #calls: Piece[] = [];
  #finish: string | null = null;
  #usage: Usage | null = null;
  #model = '';
  #id = '';
  #choices = 0;
  #messages = 0;
  #refused = false;
  #chars = 0;
  #full = false;

  constructor(
    private readonly request: ModelRequest,
    private readonly maxChars: number,
    private readonly onDelta?: (delta: ModelDelta) => void,
  ) {}

  /** The endpoint said why the reply ended. */
  get finished(): boolean {
    return this.#finish !== null;
  }

  /** The reply has reached its largest size: what follows is left out and the reply ends as `length`. */
  get full(): boolean {
    return this.#full;
  }

  /** Takes a parsed chunk (or a whole completion). Throws `WrongShape`. */
  add(chunk: unknown): void {
    const fields = object(chunk, 'chunk');
    if (typeof fields.id === 'string') this.#id ||= fields.id.slice(0, 200);
    if (typeof fields.model === 'string') this.#model ||= fields.model.slice(0, 200);
    this.#usage = toUsage(fields.usage) ?? this.#usage;
    if (fields.choices === undefined || fields.choices === null) {
      if (fields.usage === undefined && fields.id === undefined)
        throw new WrongShape('neither choices nor usage in it');
      return;
    }
    if (!Array.isArray(fields.choices)) throw new WrongShape('choices is not a list');
    const first: unknown = fields.choices[0];
    if (first === undefined) return;
    const choice = object(first, 'choice');
    this.#choices++;
    this.#addMessage(choice.delta ?? choice.message);
    if (typeof choice.finish_reason === 'string' && choice.finish_reason !== '')
      this.#finish = choice.finish_reason.slice(0, 100);
  }

  /** The reply so far. Throws `WrongShape` when no choice ever came, or none with a message. */
  reply(requestId: string | null): ModelReply {
    if (this.#choices === 0) throw new WrongShape('no choice in it');
    if (this.#messages === 0) throw new WrongShape('no message in its choice');
    const calls = this.#named();
    const ended = this.#refused && calls.length === 0 ? 'refusal' : (this.#finish ?? (calls.length > 0 ? 'tool_calls' : 'stop'));
    const finishReason = this.#full ? 'length' : ended;
    const usage = this.#full ? null : this.#usage;
    return {
      content: wellFormed(this.#content),
      calls,
      finishReason,
      usage: usage ?? {
        promptTokens: tokens(promptChars(this.request)),
        cachedTokens: 0,
        completionTokens: tokens(this.#chars),
      },
      usageEstimated: usage === null,
      model: this.#model || this.request.model,
      requestId: requestId?.slice(0, 200) || this.#id,
    };
  }

  #addMessage(value: unknown): void {
    if (value === undefined || value === null) return;
    const message = object(value, 'message');
    this.#messages++;
    const refusal = typeof message.refusal === 'string' ? message.refusal : '';
    this.#refused ||= refusal !== '';
    const text = textOf(message.content) + refusal;
    if (text !== '') this.#content += this.#take(text, 'content');
    if (message.tool_calls === undefined || message.tool_calls === null) return;
    if (!Array.isArray(message.tool_calls)) throw new WrongShape('tool_calls is not a list');
    for (const call of message.tool_calls) this.#addCall(object(call, 'tool call'));
  }

  #addCall(call: Record<string, unknown>): void {
    const part = call.function === undefined || call.function === null ? {} : object(call.function, 'function');
    const id = typeof call.id === 'string' ? call.id.slice(0, 200) : '';
    const name = typeof part.name === 'string' ? part.name.slice(0, 200) : '';
    const index = typeof call.index === 'number' ? call.index : null;
    const piece = this.#pieceFor(index, id, name);
    if (!piece) return;
    piece.id ||= id;
    if (piece.name === '') piece.name = name;
    else if (name !== piece.name && piece.arguments === '') piece.name = (piece.name + name).slice(0, 200);
    const text =
      typeof part.arguments === 'string'
        ? part.arguments
        : isObject(part.arguments)
          ? JSON.stringify(part.arguments)
          : '';
    if (text !== '') piece.arguments += this.#take(text, 'call');
  }

  /**
   * Some endpoints send no index, some the same index for every call: an id that differs, or a name after whole
   * arguments, starts another call.
   */
  #pieceFor(index: number | null, id: string, name: string): Piece | undefined {
    const last = this.#calls.findLast((c) => index === null || c.index === index);
    const another =
      last &&
      ((id !== '' && last.id !== '' && id !== last.id) ||
        (index === null && name !== '' && (id === '' || id !== last.id) && isJson(last.arguments)));
    if (last && !another) return last;
    if (this.#calls.length >= MAX_CALLS) return undefined;
    const piece = { index, id: '', name: '', arguments: '' };
    this.#calls.push(piece);
    return piece;
  }

  /**
   * Ids that are missing or taken are made up from the place in the conversation, so that a repeat of the same reply
   * gets the same ones.
   */
  #named(): RawCall[] {
    const taken = new Set(
      this.request.messages.flatMap((m) => (m.role === 'assistant' ? m.calls.map((c) => c.id) : [])),
    );
    return this.#calls.map((piece, i) => {
      const id = piece.id === '' || taken.has(piece.id) ? `call_${this.request.messages.length}_${i}` : piece.id;
      taken.add(id);
      return { id, name: wellFormed(piece.name), arguments: wellFormed(piece.arguments) };
    });
  }

  #take(text: string, where: ModelDelta['in']): string {
    const taken = text.slice(0, Math.max(0, this.maxChars - this.#chars));
    this.#chars += taken.length;
    this.#full ||= taken.length < text.length;
    if (taken !== '') this.onDelta?.({ text: taken, in: where });
    return taken;
  }
}

const MAX_CALLS = 64;

function tokens(chars: number): number {
  return Math.ceil(chars / CHARS_PER_TOKEN);
}

/**
 * Counts as OpenAI names them, with the cached part as OpenAI or DeepSeek name it; null when they are missing or make
 * no sense.
 */
function toUsage(value: unknown): Usage | null {
  if (!isObject(value)) return null;
  const promptTokens = count(value.prompt_tokens);
  const completionTokens = count(value.completion_tokens);
  if (promptTokens === null || completionTokens === null || promptTokens + completionTokens === 0) return null;
  const details = isObject(value.prompt_tokens_details) ? value.prompt_tokens_details : {};
  const cached = count(details.cached_tokens) ?? count(value.prompt_cache_hit_tokens) ?? 0;
  return { promptTokens, cachedTokens: Math.min(cached, promptTokens), completionTokens };
}

function isJson(text: string): boolean {
  try {
    return JSON.parse(text) !== undefined;
  } catch {
    return false;
  }
}

function count(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

/** Text, or the text parts of a list of parts. */
function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part: unknown) => (isObject(part) && typeof part.text === 'string' ? part.text : '')).join('');
}

function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}|\0/gu, '\ufffd');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function object(value: unknown, what: string): Record<string, unknown> {
  if (!isObject(value)) throw new WrongShape(`a ${what} is not an object`);
  return value;
}
