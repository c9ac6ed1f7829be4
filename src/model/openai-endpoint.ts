import OpenAI, { APIError, type ClientOptions } from 'openai';
import { Stream } from 'openai/streaming';
import { Nl2codeError } from '../session/error-table.js';
import type { ModelDelta, ModelEndpoint, ModelReply, ModelRequest } from './endpoint.js';
import { toModelError } from './endpoint-errors.js';
import { type GuardedResponse, guardedFetch } from './guarded-fetch.js';
import { checkModelList } from './model-list.js';
import { patientDispatcher } from './patient-dispatcher.js';
import { ReplyAssembly, WrongShape } from './reply-assembly.js';
import { type Dialect, toWire } from './wire-format.js';

export interface OpenAiEndpointOptions {
  /** Address of the API, up to and without `/chat/completions`. */
  baseUrl: string;
  /** null or empty: no Authorization header is sent. */
  apiKey: string | null;
  /** No byte for so long is `model-stalled`. */
  stallMs: number;
  /** True for the bundled scripted model. */
  scripted?: boolean;
  /** Left to the endpoint when undefined. */
  temperature?: number;
  fetch?: typeof globalThis.fetch;
}

const MAX_WIRE_BYTES = 64 << 20;

/**
 * A model behind an OpenAI-compatible API, on the `openai` client without its retries. Runs wherever there is a
 * network; holds
 * the key and never shows it. A 400 that names a parameter it does not know (`stream_options`, `max_tokens`,
 * `max_completion_tokens`, `temperature`) is answered once by the other spelling, since nothing was billed, and
 * remembered per model.
 * Throws `bad-request` for an address that can't be used.
 */
export function createOpenAiEndpoint(options: OpenAiEndpointOptions): ModelEndpoint {
  const url = checkedUrl(options.baseUrl, options.apiKey);
  const key = options.apiKey === '' ? null : options.apiKey;
  const client = new OpenAI({
    baseURL: url.href.replace(/\/+$/, ''),
    apiKey: key ?? 'none',
    adminAPIKey: null,
    ...(key === null && { defaultHeaders: { Authorization: null } }),
    maxRetries: 0,
    // Ours is the limit on silence; the client's own must not come first.
    timeout: Math.max(600_000, options.stallMs * 2),
    // At OPENAI_LOG=debug the client would print requests.
    logLevel: 'off',
    ...(!options.fetch && { fetchOptions: { dispatcher: patientDispatcher() } as ClientOptions['fetchOptions'] }),
    fetch: guardedFetch(options.fetch ?? globalThis.fetch, { stallMs: options.stallMs, maxBytes: MAX_WIRE_BYTES }),
  });
  const dialects = new Map<string, Dialect>();
  const first: Dialect = {
    streamOptions: true,
    // Servers ignore a cap they don't know: the older name is known to all but OpenAI's newer models, which refuse it
    // loudly.
    cap: url.hostname === 'api.openai.com' ? 'max_completion_tokens' : 'max_tokens',
    temperature: true,
  };
  const named = (model: string) => ({ host: url.host, key, model });

  const complete: ModelEndpoint['complete'] = async (request, { signal, onDelta }) => {
    signal.throwIfAborted();
    let dialect = dialects.get(request.model) ?? first;
    const tried = new Set<string>();
    for (;;) {
      try {
        const reply = await completeOnce(client, request, toWire(request, dialect, options.temperature), {
          signal,
          onDelta,
        });
        dialects.set(request.model, dialect);
        return reply;
      } catch (error) {
        signal.throwIfAborted();
        const refused = refusedParameter(error, dialect);
        if (refused === null || tried.has(refused)) throw toModelError(error, named(request.model));
        tried.add(refused);
        dialect = without(dialect, refused);
      }
    }
  };

  return {
    scripted: options.scripted ?? false,
    complete,
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

async function completeOnce(
  client: OpenAI,
  request: ModelRequest,
  body: OpenAI.ChatCompletionCreateParamsStreaming,
  { signal, onDelta }: { signal: AbortSignal; onDelta?: (delta: ModelDelta) => void },
): Promise<ModelReply> {
  const abort = new AbortController();
  const forward = () => abort.abort(signal.reason);
  signal.addEventListener('abort', forward, { once: true });
  try {
    const response = (await client.chat.completions
      .create(body, { signal: abort.signal })
      .asResponse()) as GuardedResponse;
    const assembly = new ReplyAssembly(request, Math.max(65_536, request.maxOutputTokens * 16), onDelta);
    const type = response.headers.get('content-type') ?? '';
    if (type.includes('json')) {
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
    return assembly.reply(response.headers.get('x-request-id'));
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

type Refusable = 'stream_options' | 'max_tokens' | 'max_completion_tokens' | 'temperature';

/** The parameter that a 400 or 422 says it does not know, if this dialect sends it. */
function refusedParameter(error: unknown, dialect: Dialect): Refusable | null {
  if (!(error instanceof APIError) || (error.status !== 400 && error.status !== 422)) return null;
  const sent: Refusable[] = [
    ...(dialect.streamOptions ? ['stream_options' as const] : []),
    dialect.cap,
    ...(dialect.temperature ? ['temperature' as const] : []),
  ];
  const text = `${error.message} ${JSON.stringify(error.error ?? '')}`;
  const says =
    /unsupported|not supported|unrecogni[sz]ed|unknown|unexpected|extra (input|field|param)|not permitted|not allowed|does not support/i.test(
      text,
    );
  if (!says) return null;
  return sent.find((p) => error.param === p) ?? sent.find((p) => new RegExp(`\\b${p}\\b`).test(text)) ?? null;
}

function without(dialect: Dialect, refused: Refusable): Dialect {
  if (refused === 'stream_options') return { ...dialect, streamOptions: false };
  if (refused === 'temperature') return { ...dialect, temperature: false };
  return { ...dialect, cap: refused === 'max_tokens' ? 'max_completion_tokens' : 'max_tokens' };
}

function checkedUrl(text: string, key: string | null): URL {
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
  if (url.protocol === 'http:' && !loopback && key) {
    throw new Nl2codeError(
      'bad-request',
      `OPENAI_BASE_URL http://${url.host} would carry OPENAI_API_KEY unencrypted; use https, or leave the key empty.`,
    );
  }
  return url;
}
