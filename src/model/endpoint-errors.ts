import { APIConnectionError, APIError } from 'openai';
import { type ErrorCode, errorTable, Nl2codeError } from '../session/error-table.js';
import { Stalled, TooLarge } from './guarded-fetch.js';
import { quotable } from './redaction.js';
import { WrongShape } from './reply-assembly.js';
import { retryAfterMs } from './retry-after.js';

/** What the sentences name. The key is here to be taken out of them. */
export interface EndpointNames {
  host: string;
  key: string | null;
  model: string;
}

/**
 * The product's error for anything thrown while talking to a model endpoint. At most 300 characters of what the
 * endpoint said
 * are quoted, and the key never is. The cause is a plain copy: errors of the client carry whole bodies and headers.
 */
export function toModelError(error: unknown, names: EndpointNames): Nl2codeError {
  if (error instanceof Nl2codeError) return error;
  const cause = copied(error, names.key);
  const raise = (code: ErrorCode, what: string, wait?: number) =>
    new Nl2codeError(code, what, { cause, retryAfterMs: wait });
  const inner = causes(error);
  const stalled = inner.find((e) => e instanceof Stalled);
  if (stalled) return raise('model-stalled', `${names.host} sent nothing for ${stalled.stallMs / 1000} s.`);
  const large = inner.find((e) => e instanceof TooLarge);
  if (large) return raise('model-garbage', `The answer of ${names.host} holds more than ${large.maxBytes} bytes.`);
  if (error instanceof APIConnectionError) return raise(...unreachable(inner, names));
  if (error instanceof APIError) return fromStatus(error, names, cause);
  if (error instanceof WrongShape)
    return raise('model-garbage', `The answer of ${names.host} is not a chat completion: ${error.message}.`);
  if (error instanceof SyntaxError)
    return raise(
      'model-garbage',
      `The answer of ${names.host} is not JSON (${quotable(error.message, names.key, 100)}).`,
    );
  return raise(
    'model-stream-cut',
    `The connection to ${names.host} broke before the reply was complete (${reasonOf(inner, names.key)}).`,
  );
}

/** An answer with a status, or an error object inside a stream (which has none of its own). */
function fromStatus(error: APIError, names: EndpointNames, cause: Error): Nl2codeError {
  const kind = `${error.code ?? ''} ${error.type ?? ''}`;
  const said = quotable(spoken(error), names.key);
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
      quotable(spoken(error).replace(errorTable['playbook-mismatch'].remedy, ''), names.key),
      { cause },
    );
  }
  if (status === 402 || QUOTA.test(kind)) return raise('model-quota', `${answered}: the account has no credit left.`);
  if (status === 401 || status === 403) {
    return raise(
      'model-auth',
      `${answered}: ${names.key ? 'the key is not accepted' : 'it asks for a key and none is set'}.`,
    );
  }
  if (status === 429) return raise('model-rate-limited', `${answered}: too many requests.`);
  if (status === 404) {
    return raise(
      'model-not-found',
      `${answered} for model "${quotable(names.model, names.key, 100)}": no such model, or no /chat/completions under this OPENAI_BASE_URL.`,
    );
  }
  if (status === 408 || status === 409 || status >= 500) return raise('model-server-error', `${answered}.`);
  if (status === 413 || CONTEXT.test(kind) || CONTEXT.test(said)) {
    return raise(
      'model-context-length',
      `${answered}: the conversation is longer than model "${quotable(names.model, names.key, 100)}" takes.`,
    );
  }
  if (status >= 300 && status < 400) {
    const to = quotable(error.headers?.get('location') ?? 'nowhere', names.key, 200);
    return raise(
      'model-bad-request',
      `${answered}: a redirect to ${to}, which is not followed because the key belongs to one host; set OPENAI_BASE_URL to the final address.`,
    );
  }
  return raise('model-bad-request', `${answered}.`);
}

const QUOTA = /insufficient_quota|billing_(hard_limit|not_active)|insufficient_(credit|balance)/i;
const CONTEXT =
  /context.(length|window|size)|context_length|maximum.context|(prompt|input) is too (long|large)|too many (input )?tokens|string_above_max_length/i;

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

function unreachable(inner: Error[], names: EndpointNames): [ErrorCode, string] {
  const code = inner.map(codeOf).findLast((c) => c !== '') ?? '';
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT')
    return ['model-stalled', `${names.host} sent nothing for 300 s.`];
  const why =
    code === 'ECONNREFUSED'
      ? 'nothing listens there'
      : code === 'ENOTFOUND' || code === 'EAI_AGAIN'
        ? 'the host name is not known'
        : /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS/.test(code)
          ? `its certificate is not trusted, see NODE_EXTRA_CA_CERTS (${code})`
          : reasonOf(inner, names.key);
  return ['model-unreachable', `${names.host} can't be reached: ${why}.`];
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function reasonOf(inner: Error[], key: string | null): string {
  const last = inner.at(-1);
  if (!last) return 'no reason given';
  return quotable([codeOf(last), last.message].filter((t) => t !== '').join(': '), key, 200) || last.name;
}

function causes(error: unknown): Error[] {
  const all: Error[] = [];
  for (let e = error; e instanceof Error && all.length < 8; e = e.cause) all.push(e);
  return all;
}

function copied(error: unknown, key: string | null): Error {
  const text =
    causes(error)
      .map((e) => `${e.name}: ${e.message}`)
      .join(' < ') || String(error);
  return new Error(quotable(text, key));
}
