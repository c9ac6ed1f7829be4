/**
 * Every error the product raises on purpose. A new code does not compile until its row is filled in.
 * `message` texts are made where the value is known; the table holds what follows from the code alone.
 */
export interface ErrorRow {
  /** HTTP status the gateway answers with. */
  http: number;
  /** Whether Temporal should try the activity again. */
  retryable: boolean;
  /** What the user can do next, one sentence. */
  remedy: string;
}

export type ErrorCode =
  // model endpoint
  | 'model-auth'
  | 'model-forbidden'
  | 'model-not-found'
  | 'model-rate-limited'
  | 'model-quota'
  | 'model-context-length'
  | 'model-bad-request'
  | 'model-refused'
  | 'model-server-error'
  | 'model-unreachable'
  | 'model-untrusted'
  | 'model-garbage'
  | 'model-stream-cut'
  | 'model-stalled'
  | 'proxy-unreachable'
  | 'proxy-refused'
  | 'playbook-mismatch'
  // budget and request
  | 'budget-exceeded'
  | 'price-unknown'
  | 'bad-request'
  | 'bad-input'
  | 'busy'
  | 'stale-decision'
  | 'not-found'
  // sandbox and store
  | 'sandbox-unavailable'
  | 'sandbox-lost'
  | 'fenced'
  | 'tool-missing'
  | 'store-corrupt'
  | 'store-full'
  | 'store-version'
  | 'store-unwritable'
  // the embedded parts
  | 'host-locked'
  | 'host-failed'
  | 'port-in-use'
  | 'not-set-up'
  | 'temporal-unavailable';

export const errorTable: Record<ErrorCode, ErrorRow> = {
  'model-auth': { http: 502, retryable: false, remedy: 'Check OPENAI_API_KEY.' },
  'model-forbidden': { http: 502, retryable: false, remedy: 'Give the key access at the provider, or use another key or model.' },
  'model-not-found': { http: 502, retryable: false, remedy: 'Name a model the endpoint serves with --model or NL2CODE_MODEL.' },
  'model-rate-limited': { http: 503, retryable: true, remedy: 'Wait, or raise the limit at the provider; the session tries again by itself.' },
  'model-quota': { http: 502, retryable: false, remedy: 'Add credit at the provider, then run the request again.' },
  'model-context-length': { http: 502, retryable: false, remedy: 'Use a model with a larger context window, a shorter request, or a smaller model.maxOutputTokens.' },
  'model-bad-request': { http: 502, retryable: false, remedy: 'Check that OPENAI_BASE_URL and the model are the right ones: nl2code doctor --model says what this endpoint takes.' },
  'model-refused': { http: 502, retryable: false, remedy: 'Word the request otherwise, or change the filter at the provider.' },
  'model-server-error': { http: 503, retryable: true, remedy: 'The endpoint failed; the session tries again by itself.' },
  'model-unreachable': { http: 503, retryable: true, remedy: 'Check OPENAI_BASE_URL and the network; the session tries again by itself.' },
  'model-untrusted': { http: 502, retryable: false, remedy: 'Name the certificate of its CA with model.caFile, SSL_CERT_FILE or NODE_EXTRA_CA_CERTS.' },
  'model-garbage': { http: 502, retryable: true, remedy: 'The endpoint did not answer as an OpenAI-compatible API does; check OPENAI_BASE_URL.' },
  'model-stream-cut': { http: 503, retryable: true, remedy: 'The reply ended half-way; the session tries again by itself.' },
  'model-stalled': { http: 503, retryable: true, remedy: 'The reply stood still; the session tries again by itself.' },
  'proxy-unreachable': { http: 503, retryable: true, remedy: 'Correct the proxy setting, or name the endpoint in NO_PROXY; the session tries again by itself.' },
  'proxy-refused': { http: 502, retryable: false, remedy: 'Ask who runs the proxy, or name the endpoint in NO_PROXY.' },
  'playbook-mismatch': { http: 502, retryable: false, remedy: 'The scripted model only plays written requests: set OPENAI_BASE_URL and OPENAI_API_KEY to use a real one.' },
  'budget-exceeded': { http: 409, retryable: false, remedy: 'Raise --max-steps, --max-tokens or --max-cost-usd and send the request again.' },
  'price-unknown': { http: 400, retryable: false, remedy: 'Declare the price of this model in nl2code.config.yaml under prices, or leave out --max-cost-usd.' },
  'bad-request': { http: 400, retryable: false, remedy: 'Correct the request and send it again.' },
  'bad-input': { http: 400, retryable: false, remedy: 'Correct the input and send the request again.' },
  busy: { http: 409, retryable: false, remedy: 'Wait until the session has answered what is queued.' },
  'stale-decision': { http: 409, retryable: false, remedy: 'Look at what waits now with nl2code show, then decide again.' },
  'not-found': { http: 404, retryable: false, remedy: 'List the sessions with nl2code list.' },
  'sandbox-unavailable': { http: 503, retryable: false, remedy: 'Run nl2code doctor; it says what to install.' },
  'sandbox-lost': { http: 503, retryable: true, remedy: 'The sandbox ended; the session starts another.' },
  fenced: { http: 409, retryable: true, remedy: 'Another worker owns the session now.' },
  'tool-missing': { http: 503, retryable: true, remedy: "Start a worker that registers it on the session's task queue; the session tries again by itself." },
  'store-corrupt': { http: 500, retryable: false, remedy: 'A stored file does not hold what its name says; restore the session folder from a backup.' },
  'store-full': { http: 507, retryable: true, remedy: 'Free space in the data directory.' },
  'store-version': { http: 500, retryable: false, remedy: 'Use the version of nl2code that wrote this data directory, or another --data-dir.' },
  'store-unwritable': { http: 500, retryable: false, remedy: 'Give this user a folder it may write to, or name another with --data-dir.' },
  'host-locked': { http: 409, retryable: false, remedy: 'Another nl2code serves this data directory; stop it or use another --data-dir.' },
  'host-failed': { http: 500, retryable: false, remedy: 'The logs folder of the data directory has the details.' },
  'port-in-use': { http: 409, retryable: false, remedy: 'Stop the other program or choose another port; 0 takes any free one.' },
  'not-set-up': { http: 500, retryable: false, remedy: 'Run npm run setup in the checkout, or scripts/setup.mjs of the installed package.' },
  'temporal-unavailable': { http: 503, retryable: true, remedy: 'Start the Temporal server, or leave out TEMPORAL_ADDRESS to use the embedded one.' },
};

/** A sentence where nothing runs that would try again by itself. Pure. */
export function standing(message: string): string {
  return message.replace(/; the session tries again by itself\.$/, '.');
}

/** The one exception class of the product: a code of the table and a sentence that names the value and the remedy. */
export class Nl2codeError extends Error {
  override readonly name = 'Nl2codeError';
  constructor(
    readonly code: ErrorCode,
    /** What happened, with the value; the remedy is appended. */
    what: string,
    options?: { cause?: unknown; /** When to try again, in milliseconds. */ retryAfterMs?: number; idempotencyKey?: string; /** Stands in for the table's remedy; empty when `what` says it already. */ remedy?: string },
  ) {
    super(`${what} ${options?.remedy ?? errorTable[code].remedy}`.trimEnd(), options);
    this.retryAfterMs = options?.retryAfterMs;
    this.idempotencyKey = options?.idempotencyKey;
  }
  readonly retryAfterMs: number | undefined;
  /** What was sent may have been taken: sent again with this key it is done once. */
  readonly idempotencyKey: string | undefined;
}
