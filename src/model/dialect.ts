/** What an endpoint takes of a chat completion, learned from its own answers and never from names. */
export interface Dialect {
  /** Sends the reply while it is written. */
  stream: boolean;
  /** Counts tokens in a stream when asked to. */
  streamOptions: boolean;
  /** The name it has for the largest reply. */
  cap: 'max_tokens' | 'max_completion_tokens';
  /** The largest reply it allows, in tokens; null while it has refused none. */
  mostOutputTokens: number | null;
  temperature: boolean;
  /** Takes tools, and calls and results as messages of their own. */
  tools: boolean;
  /** Takes messages of the role `system`. */
  system: boolean;
  /** Takes several messages of one role in a row. */
  repeats: boolean;
  /** Holds a reply to a JSON schema. */
  schema: boolean;
}

/** What is assumed of an endpoint before it has answered: everything. Pure. */
export function firstDialect(host: string): Dialect {
  return {
    stream: true,
    streamOptions: true,
    // Servers ignore a cap they don't know: the older name is known to all but OpenAI's newer models, which refuse it loudly.
    cap: host === 'api.openai.com' ? 'max_completion_tokens' : 'max_tokens',
    mostOutputTokens: null,
    temperature: true,
    tools: true,
    system: true,
    repeats: true,
    schema: true,
  };
}

/** A refusal as it came: the status, the parameter it names if any, and all its text. */
export interface Refusal {
  status: number | undefined;
  param: string | null;
  text: string;
}

/** What a request used that the endpoint may not take. */
export interface Used {
  tools: boolean;
  temperature: boolean;
  schema: boolean;
  maxOutputTokens: number;
}

/** What to do otherwise: a trait of the endpoint to remember, or a shorter reply this once. */
export type Fallback = { trait: Partial<Dialect> } | { maxOutputTokens: number };

/** A reply shorter than this says nothing. */
export const LEAST_OUTPUT_TOKENS = 256;

/**
 * The other way that a refusal leaves open, or null where it is about something else. A refusal is not billed, so trying again costs
 * nothing. Pure.
 */
export function fallbackFor(refusal: Refusal, dialect: Dialect, used: Used): Fallback | null {
  const { status, text } = refusal;
  // Servers that fail on what they don't know say so with a status of their own: only what names tools counts there.
  const named = status === 400 || status === 422;
  if (!named && status !== 404 && status !== 500 && status !== 501) return null;
  const native = dialect.tools && used.tools;
  if (native && (TOOLS.test(text) || (named && lacks(refusal, 'tools')))) return { trait: { tools: false } };
  if (PLAIN_ROLES.test(text) && (dialect.system || dialect.tools)) return { trait: { system: false, tools: false } };
  if (dialect.system && SYSTEM.test(text)) return { trait: { system: false } };
  if (dialect.repeats && ALTERNATE.test(text)) return { trait: { repeats: false } };
  if (!named) return null;
  if (dialect.stream && dialect.streamOptions && lacks(refusal, 'stream_options')) return { trait: { streamOptions: false } };
  if (dialect.stream && lacks(refusal, 'stream', /\bstream(ing)?\b/)) return { trait: { stream: false } };
  if (dialect.temperature && used.temperature && lacks(refusal, 'temperature')) return { trait: { temperature: false } };
  if (dialect.schema && used.schema && (lacks(refusal, 'response_format') || lacks(refusal, 'json_schema'))) return { trait: { schema: false } };
  return shorter(text, used.maxOutputTokens) ?? (lacks(refusal, dialect.cap) ? { trait: { cap: dialect.cap === 'max_tokens' ? 'max_completion_tokens' : 'max_tokens' } } : null);
}

const TOOLS =
  /(tool|function)s?[ _-]?(use|calls?|calling)? (is |are )?(not (supported|enabled|available)|unsupported)|(does not|doesn't|not) support (the )?(tools?|functions?|tool[ _-]use|(tool|function)[ _-]call(s|ing)?)\b|found that support tool use|tool choice requires|tools param requires|unsupported param(eter)?s?: \W?tools|does not support parameters: [^:]*['"]tools['"]/i;
const PLAIN_ROLES = /only user and assistant roles/i;
const SYSTEM = /system (role|message|prompt|instruction)s? (is |are )?(not (supported|enabled|allowed)|unsupported)|does not support (the )?['"`]?system\b/i;
const ALTERNATE = /roles must alternate|must alternate between/i;
const LACKS = /unsupported|not supported|unrecogni[sz]ed|unknown|unexpected|extra (input|field|param)|not permitted|not allowed|does not support|must be verified/i;

function lacks({ param, text }: Refusal, name: string, word = new RegExp(`\\b${name}\\b`)): boolean {
  return LACKS.test(text) && (param === null ? word.test(text) : param === name);
}

/** What the endpoint says about a reply that may become too long. */
const LIMITS = [
  /at most (\d+) (?:completion|output) tokens/i,
  /(?:less than or equal to|maximum value for \W?max_(?:completion_)?tokens\W? is) \W?(\d+)/i,
  /range of max_(?:completion_)?tokens is \[\d+, ?(\d+)\]/i,
  /max_(?:completion_)?tokens: \d+ > (\d+)/i,
];
const ROOM = [
  /max_(?:completion_)?tokens.* > (?<window>\d+) - (?<prompt>\d+)/s,
  /context length is (?<window>\d+) tokens.* requested \d+ tokens \((?<prompt>\d+) in the messages/s,
  /context length is (?<window>\d+) tokens.*prompt contains (?:at least )?(?<prompt>\d+) input tokens/s,
];

/** A reply that fits: one limit of the endpoint's holds for every request, the room that a prompt leaves for this one. */
function shorter(text: string, asked: number): Fallback | null {
  if (/max_(completion_)?tokens/.test(text)) {
    const most = Number(LIMITS.map((limit) => limit.exec(text)?.[1]).find((found) => found !== undefined) ?? Number.NaN);
    if (most >= 1 && most < asked) return { trait: { mostOutputTokens: most } };
  }
  const { window, prompt } = ROOM.map((room) => room.exec(text)?.groups).find((found) => found !== undefined) ?? {};
  const room = Number(window) - Number(prompt);
  return room >= LEAST_OUTPUT_TOKENS && room < asked ? { maxOutputTokens: room } : null;
}
