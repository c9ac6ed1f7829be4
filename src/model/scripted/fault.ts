import { z } from 'zod';

/** The ways a real endpoint fails that the scripted one can be told to. */
export const FAULTS = [
  'rate-limited',
  'quota',
  'server-error',
  'unauthorized',
  'no-model',
  'context-length',
  'garbage',
  'cut',
  'stall',
  'malformed-call',
  'unknown-tool',
  'no-call',
] as const;
export type FaultKind = (typeof FAULTS)[number];

/** Fails the next `count` replies in one way. */
export interface Fault {
  kind: FaultKind;
  count: number;
  /** Value of the `Retry-After` header. */
  retryAfter?: string;
}

export const faultSchema = z.strictObject({
  kind: z.enum(FAULTS),
  count: z.number().int().min(1).max(1_000).default(1),
  retryAfter: z.string().max(100).optional(),
});

/** Faults that are an HTTP error. */
export const HTTP_FAULTS: Partial<Record<FaultKind, { status: number; message: string; code: string }>> = {
  'rate-limited': { status: 429, message: 'Rate limit reached.', code: 'rate_limit_exceeded' },
  quota: { status: 429, message: 'You exceeded your current quota.', code: 'insufficient_quota' },
  'server-error': { status: 500, message: 'The server had an error.', code: 'server_error' },
  unauthorized: { status: 401, message: 'Incorrect API key provided.', code: 'invalid_api_key' },
  'no-model': { status: 404, message: 'The model does not exist.', code: 'model_not_found' },
  'context-length': {
    status: 400,
    message: "This model's maximum context length is 8192 tokens.",
    code: 'context_length_exceeded',
  },
};

/** Faults that wait for the replies they spoil, first in, first out. */
export class FaultQueue {
  #waiting: Fault[] = [];
  /** How often each kind was used. */
  readonly used: Partial<Record<FaultKind, number>> = {};

  add(fault: Fault): void {
    this.#waiting.push({ ...fault });
  }

  take(): Fault | undefined {
    const fault = this.#waiting[0];
    if (!fault) return undefined;
    fault.count--;
    if (fault.count === 0) this.#waiting.shift();
    return this.count(fault);
  }

  count(fault: Fault): Fault {
    this.used[fault.kind] = (this.used[fault.kind] ?? 0) + 1;
    return fault;
  }

  clear(): void {
    this.#waiting = [];
    for (const kind of FAULTS) delete this.used[kind];
  }
}
