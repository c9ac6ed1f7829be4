import OpenAI, { APIError, type ClientOptions } from 'openai';
import { Stream } from 'openai/streaming';
import { Nl2codeError } from '../session/error-table.js';
import { connectionPool } from './connection-pool.js';
import { type Dialect, fallbackFor, firstDialect } from './dialect.js';
import type { ModelDelta, ModelEndpoint, ModelReply, ModelRequest } from './endpoint.js';
import { toModelError } from './endpoint-errors.js';
import { errorsInShape } from './error-body.js';
import { type GuardedResponse, guardedFetch } from './guarded-fetch.js';
import { keySource } from './key-source.js';
import { checkModelList } from './model-list.js';
import { type Proxies, proxyFor } from './proxy.js';
import { ReplyAssembly, WrongShape } from './reply-assembly.js';
import { toWire } from './wire-format.js';

export interface OpenAiEndpointOptions {
  /** Address of the API, up to and without `/chat/completions`. */
  baseUrl: string;
  /** null or empty: no Authorization header is sent. */
  apiKey: string | null;
  /** File that holds the key: read again when it changes. */
  apiKeyFile?: string | null;
  /** No byte for so long is `model-stalled`. */
  stallMs: number;
  /** True for the bundled scripted model. */
  scripted?: boolean;
  /** Left to the endpoint when null. */
  temperature?: number | null;
  /** Proxies of the environment; none when undefined. */
  proxies?: Proxies;
  /** File of certificates that are trusted beside Node's own. */
  caFile?: string | null;
  /** The option that names it, for sentences. */
  caFrom?: string;
  fetch?: typeof globalThis.fetch;
}

/** The endpoint client, and what it has learned. */
export interface OpenAiEndpoint extends ModelEndpoint {
  /** How the endpoint wants to be asked for this model's replies, as far as its answers have told. */
  dialect(model: string): Dialect;
  /** The address as sentences name it. */
  readonly host: string;
  /** The proxy on the way, without its credentials; null for none. */
  readonly via: string | null;
}

const MAX_WIRE_BYTES = 64 << 20;

/**
 * A model behind an OpenAI-compatible API, on the `openai` client without its retries. Runs wherever there is a network; holds the key
 * and never shows it. A refusal of something the endpoint does not know (tools, a parameter, a role) is answered by the fallback it
 * leaves, since nothing was billed, and what was learned is remembered per model when a reply came.
 * Throws `bad-request` for an address, a proxy or a CA file that can't be used.
 */
export function createOpenAiEndpoint(options: OpenAiEndpointOptions): OpenAiEndpoint {
  const keys = keySource(options.apiKey || null, options.apiKeyFile ?? null);
  const open = keys().length === 0;
  const url = checkedUrl(options.baseUrl, !open);
  const proxy = proxyFor(url, options.proxies);
  const client = new OpenAI({
    baseURL: url.href.replace(/\/+$/, ''),
    apiKey: open ? 'none' : () => Promise.resolve(keys()[0] ?? ''),
    adminAPIKey: null,
    ...(open && { defaultHeaders: { Authorization: null } }),
    maxRetries: 0,
    // Ours is the limit on silence; the client's own must not come first.
    timeout: Math.max(600_000, options.stallMs * 2),
    // At OPENAI_LOG=debug the client would print requests.
    logLevel: 'off',
    ...(!options.fetch && { fetchOptions: { dispatcher: connectionPool({ proxy, caFile: options.caFile ?? null, ...(options.caFrom !== undefined && { caFrom: options.caFrom }) }) } as ClientOptions['fetchOptions'] }),
    fetch: errorsInShape(guardedFetch(options.fetch ?? globalThis.fetch, { stallMs: options.stallMs, maxBytes: MAX_WIRE_BYTES })),
  });
  const first = firstDialect(url.hostname);
  const dialects = new Map<string, Dialect>();
  /** Whole replies in a row where streams were asked for, by model. A gateway's cache answers so now and then; an endpoint that does not stream, always. */
  const whole = new Map<string, number>();
  const named = (model: string) => ({ host: url.host, keys: keys(), model });

  const complete: ModelEndpoint['complete'] = async (request, { signal, onDelta }) => {
    signal.throwIfAborted();
    const known = dialects.get(request.model) ?? first;
    let learned: Partial<Dialect> = {};
    let { maxOutputTokens } = request;
    const tried = new Set<string>();
    for (;;) {
      const dialect = { ...known, ...learned };
      const asked = { ...request, maxOutputTokens };
      try {
        const { reply, streamed } = await completeOnce(client, asked, toWire(asked, dialect, options.temperature ?? null), { signal, onDelta });
        if (dialect.stream) whole.set(request.model, streamed ? 0 : (whole.get(request.model) ?? 0) + 1);
        if (dialect.stream && whole.get(request.model)! >= 2) learned = { ...learned, stream: false };
        // Another request may have learned something else meanwhile.
        if (Object.keys(learned).length > 0) dialects.set(request.model, { ...(dialects.get(request.model) ?? first), ...learned });
        return reply;
      } catch (error) {
        signal.throwIfAborted();
        const used = { tools: usesTools(asked), temperature: options.temperature != null, schema: asked.schema !== undefined, maxOutputTokens };
        const fallback = error instanceof APIError ? fallbackFor(toRefusal(error), dialect, used) : null;
        const way = JSON.stringify(fallback);
        if (!fallback || tried.has(way)) throw toModelError(error, named(request.model));
        tried.add(way);
        if ('trait' in fallback) learned = { ...learned, ...fallback.trait };
        else ({ maxOutputTokens } = fallback);
      }
    }
  };

  return {
    scripted: options.scripted ?? false,
    host: url.host,
    via: proxy && proxy.address,
    complete,
    dialect: (model) => dialects.get(model) ?? first,
    probe: async (model, { timeoutMs = 10_000 } = {}) => {
      const limit = AbortSignal.timeout(timeoutMs);
      try {
        const response = await client.models.list({ signal: limit }).asResponse();
        checkModelList(await response.text(), model, url.host);
      } catch (error) {
        if (limit.aborted)
          throw new Nl2codeError('model-unreachable', `${url.host} did not answer within ${timeoutMs / 1000} s.`);
        const known = toModelError(error, named(model));
        const answered = error instanceof APIError && error.status !== undefined;
        if (!answered || known.code === 'model-auth') throw known;
      }
    },
  };
}

/** A conversation that was begun with tools goes on with them. */
function usesTools(request: ModelRequest): boolean {
  return request.tools.length > 0 || request.messages.some((message) => message.role === 'tool');
}

function toRefusal(error: APIError) {
  return { status: error.status, param: error.param ?? null, text: `${error.message} ${JSON.stringify(error.error ?? '')}` };
}

async function completeOnce(
  client: OpenAI,
  request: ModelRequest,
  body: OpenAI.ChatCompletionCreateParams,
  { signal, onDelta }: { signal: AbortSignal; onDelta?: (delta: ModelDelta) => void },
): Promise<{ reply: ModelReply; streamed: boolean }> {
  const abort = new AbortController();
  const forward = () => abort.abort(signal.reason);
  signal.addEventListener('abort', forward, { once: true });
  try {
    const response = (await client.chat.completions
      .create(body, { signal: abort.signal })
      .asResponse()) as GuardedResponse;
    const assembly = new ReplyAssembly(request, Math.max(65_536, request.maxOutputTokens * 16), onDelta);
    const type = response.headers.get('content-type') ?? '';
    const streamed = !type.includes('json');
    if (!streamed) {
      assembly.add(errorChecked(JSON.parse(await response.text()), response));
    } else if (type.includes('html')) {
      abort.abort();
      throw new WrongShape('it is a web page');
    } else {
      for await (const chunk of Stream.fromSSEResponse<unknown>(response, abort, client)) {
        assembly.add(chunk);
        if (assembly.full) break;
      }
      signal.throwIfAborted();
      const whole = assembly.finished || assembly.full || response.done;
      if (!whole) throw new Error('the stream ended without a finish reason');
    }
    return { reply: assembly.reply(response.headers.get('x-request-id')), streamed };
  } finally {
    signal.removeEventListener('abort', forward);
  }
}

/** Some gateways answer 200 with an error inside. */
function errorChecked(value: unknown, response: Response): unknown {
  const error = typeof value === 'object' && value !== null && 'error' in value ? value.error : null;
  if (error !== null && error !== undefined) throw new APIError(undefined, Object(error), undefined, response.headers);
  return value;
}

function checkedUrl(text: string, keyed: boolean): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new Nl2codeError('bad-request', `OPENAI_BASE_URL "${text.slice(0, 200)}" is not an http or https address.`);
  if (url.username || url.password || url.search) {
    throw new Nl2codeError(
      'bad-request',
      `OPENAI_BASE_URL for ${url.host} holds a user name, password or query; give the key as OPENAI_API_KEY.`,
    );
  }
  const loopback = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  if (url.protocol === 'http:' && !loopback && keyed) {
    throw new Nl2codeError(
      'bad-request',
      `OPENAI_BASE_URL http://${url.host} would carry OPENAI_API_KEY unencrypted; use https, or leave the key empty.`,
    );
  }
  return url;
}
