import { APIConnectionError, APIError } from 'openai';
import { type ErrorCode, errorTable, Nl2codeError } from '../session/error-table.js';
import { Stalled, TooLarge } from './guarded-fetch.js';
import { quotable } from './redaction.js';
import { ProxyFailure } from './tunnel.js';
import { WrongShape } from './reply-assembly.js';
import { retryAfterMs } from './retry-after.js';

/** What the sentences name. The keys are here to be taken out of them. */
export interface EndpointNames {
  host: string;
  /** The key that is sent, and those sent before it; empty for none. */
  keys: readonly string[];
  model: string;
}

/**
 * The product's error for anything thrown while talking to a model endpoint. At most 300 characters of what the
 * endpoint said
 * are quoted, and the key never is. The cause is a plain copy: errors of the client carry whole bodies and headers.
 */
export function toModelError(error: unknown, names: EndpointNames): Nl2codeError {
  if (error instanceof Nl2codeError) return error;
  const cause = copied(error, names.keys);
  const raise = (code: ErrorCode, what: string, remedy?: string) => new Nl2codeError(code, what, { cause, remedy });
  const inner = causes(error);
  const stalled = inner.find((e) => e instanceof Stalled);
  if (stalled) return raise('model-stalled', `${names.host} sent nothing for ${stalled.stallMs / 1000} s.`);
  const proxied = inner.find((e) => e instanceof ProxyFailure);
  if (proxied) return raise(...proxyProblem(proxied, names.keys));
  const large = inner.find((e) => e instanceof TooLarge);
  if (large) return raise('model-garbage', `The answer of ${names.host} holds more than ${large.maxBytes} bytes.`);
  if (error instanceof APIConnectionError) return raise(...unreachable(inner, names));
  if (error instanceof APIError) return fromStatus(error, names, cause);
  if (error instanceof WrongShape)
    return raise('model-garbage', `The answer of ${names.host} is not a chat completion: ${error.message}.`);
  if (error instanceof SyntaxError)
    return raise(
      'model-garbage',
      `The answer of ${names.host} is not JSON (${quotable(error.message, names.keys, 100)}).`,
    );
  return raise(
    'model-stream-cut',
    `The connection to ${names.host} broke before the reply was complete (${reasonOf(inner, names.keys)}).`,
  );
}

/** An answer with a status, or an error object inside a stream (which has none of its own). */
function fromStatus(error: APIError, names: EndpointNames, cause: Error): Nl2codeError {
  const kind = `${error.code ?? ''} ${error.type ?? ''}`;
  const said = quotable(spoken(error), names.keys);
  const status = error.status ?? statusOf(kind);
  const wait = error.headers ? retryAfterMs(error.headers, Date.now()) : undefined;
  const quote = said === '' ? '' : ` It said: "${said}"`;
  const raise = (code: ErrorCode, what: string) =>
    new Nl2codeError(code, `${what}${quote}`, { cause, retryAfterMs: wait });
  const answered = `${names.host} answered ${error.status ?? 'with an error'}`;
  if (error.code === 'playbook_mismatch') {
    // The scripted model ends its message with the remedy, for clients that are not ours.
    return new Nl2codeError(
      'playbook-mismatch',
      quotable(spoken(error).replace(errorTable['playbook-mismatch'].remedy, ''), names.keys),
      { cause },
    );
  }
  const model = `model "${quotable(names.model, names.keys, 100)}"`;
  if (status === 402 || QUOTA.test(kind)) return raise('model-quota', `${answered}: the account has no credit left.`);
  if (FILTER.test(kind) || FILTER.test(said)) return raise('model-refused', `${answered}: its content filter refuses the conversation.`);
  if (status === 401 || (status === 403 && names.keys.length === 0)) {
    return raise(
      'model-auth',
      `${answered}: ${names.keys.length > 0 ? 'the key is not accepted' : 'it asks for a key and none is set'}.`,
    );
  }
  if (status === 404 || (status === 403 && /model_not_found/.test(kind))) {
    return raise(
      'model-not-found',
      `${answered} for ${model}: no such model, or no /chat/completions under this OPENAI_BASE_URL.`,
    );
  }
  if (status === 403) return raise('model-forbidden', `${answered}: the key is not allowed to use ${model}, or not from here.`);
  if (status === 413 || CONTEXT.test(kind) || CONTEXT.test(said)) {
    return raise(
      'model-context-length',
      `${answered}: the conversation is longer than ${status === 413 && !CONTEXT.test(said) ? 'it' : model} takes.`,
    );
  }
  if (status === 429) return raise('model-rate-limited', `${answered}: too many requests.`);
  if (status === 408) return raise('model-server-error', `${answered}: it waited too long for the request.`);
  if (status === 409 || (status >= 500 && status !== 501)) return raise('model-server-error', `${answered}.`);
  if (status >= 300 && status < 400) {
    const to = quotable(error.headers?.get('location') ?? 'nowhere', names.keys, 200);
    return raise(
      'model-bad-request',
      `${answered}: a redirect to ${to}, which is not followed because the key belongs to one host; set OPENAI_BASE_URL to the final address.`,
    );
  }
  return raise('model-bad-request', `${answered}.`);
}

const QUOTA = /insufficient_quota|billing_(hard_limit|not_active)|insufficient_(credit|balance)/i;
const FILTER = /content_filter|content_policy|content management policy|responsible ?ai ?policy/i;
/** As OpenAI, vLLM, llama.cpp, Ollama, LiteLLM and what speaks like them put it. */
const CONTEXT = new RegExp(
  [
    'context.?(length|window|size)',
    'exceed_context',
    'maximum (context|model|prompt|input) length',
    'longer than the (maximum )?(model|context)',
    '(prompt|input|request)( is)? too (long|large)',
    'too many (input |prompt )?tokens',
    '(exceed|greater than)[a-z]* (the )?(maximum|limit|number) of \\d* ?(input )?tokens',
    'input token count',
    'reduce the length of the (messages|prompt|input)',
    'string_above_max_length',
  ].join('|'),
  'i',
);

/** Status for an error that came inside a stream. */
function statusOf(kind: string): number {
  const number = /\b[45]\d\d\b/.exec(kind);
  if (number) return Number(number[0]);
  if (/rate.?limit|too_many/i.test(kind)) return 429;
  if (/auth|permission|api_key/i.test(kind)) return 401;
  if (/model_not_found/i.test(kind)) return 404;
  if (/invalid_request|context/i.test(kind)) return 400;
  return 500;
}

/** What the endpoint said: the error's message, or its raw text. */
function spoken(error: APIError): string {
  const body: unknown = error.error;
  if (typeof body === 'object' && body !== null && 'message' in body && typeof body.message === 'string')
    return body.message;
  if (body !== undefined && body !== null) return typeof body === 'string' ? body : JSON.stringify(body);
  const text = error.message.replace(/^\d{3} /, '');
  // A web page says nothing that helps.
  return /^(status code|\(no status|<)/.test(text) ? '' : text;
}

function unreachable(inner: Error[], names: EndpointNames): [ErrorCode, string, string?] {
  const code = inner.map(codeOf).findLast((c) => c !== '') ?? '';
  const { host } = names;
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT')
    return ['model-stalled', `${host} sent nothing for 300 s.`];
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID')
    return ['model-untrusted', `The certificate of ${host} is not valid now (${code}).`, 'Have it renewed, or correct the clock of this machine.'];
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return ['model-untrusted', `The certificate of ${host} is for another name (${code}).`, 'Set OPENAI_BASE_URL to the name it is for.'];
  if (/CERT|SELF_SIGNED|UNABLE_TO_/.test(code))
    return ['model-untrusted', `The certificate of ${host} is signed by nobody this machine trusts (${code}).`];
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'EPROTO')
    return ['model-unreachable', `${host} does not speak TLS on this port: https:// may have to be http://.`];
  const why =
    code === 'ECONNREFUSED'
      ? 'nothing listens there'
      : code === 'ENOTFOUND' || code === 'EAI_AGAIN'
        ? 'the host name is not known'
        : reasonOf(inner, names.keys);
  return ['model-unreachable', `${host} can't be reached: ${why}.`];
}

function proxyProblem({ proxy, status, cause }: ProxyFailure, keys: readonly string[]): [ErrorCode, string, string?] {
  const name = `The proxy ${proxy.address} (from ${proxy.from})`;
  if (status === 407) return ['proxy-refused', `${name} answered 407: ${proxy.authorization ? 'it does not accept the name and password there' : 'it asks for a name and a password'}.`, `Write ${proxy.from} as http://NAME:PASSWORD@${proxy.address}.`];
  if (status !== null) return [status >= 500 ? 'proxy-unreachable' : 'proxy-refused', `${name} answered ${status} when asked for the endpoint.`];
  const [inner] = causes(cause);
  const code = inner ? codeOf(inner) : '';
  const why = code === 'ECONNREFUSED' ? 'nothing listens there' : code === 'ENOTFOUND' || code === 'EAI_AGAIN' ? 'the host name is not known' : reasonOf(causes(cause), keys);
  return ['proxy-unreachable', `${name} can't be reached: ${why}.`];
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function reasonOf(inner: Error[], keys: readonly string[]): string {
  const last = inner.at(-1);
  if (!last) return 'no reason given';
  return quotable([codeOf(last), last.message].filter((t) => t !== '').join(': '), keys, 200) || last.name;
}

function causes(error: unknown): Error[] {
  const all: Error[] = [];
  for (let e = error; e instanceof Error && all.length < 8; e = e.cause) all.push(e);
  return all;
}

function copied(error: unknown, keys: readonly string[]): Error {
  const text =
    causes(error)
      .map((e) => `${e.name}: ${e.message}`)
      .join(' < ') || String(error);
  return new Error(quotable(text, keys));
}
