/** The longest wait an endpoint can ask for: 10 minutes. */
export const MAX_RETRY_AFTER_MS = 600_000;

/**
 * How long the endpoint asks to be left alone, in milliseconds: from `retry-after-ms`, or `Retry-After` in seconds or
 * as an
 * HTTP date. Never negative, at most 10 minutes, undefined when absent or unreadable. Pure; jitter is the caller's.
 */
export function retryAfterMs(headers: Headers, nowMs: number): number | undefined {
  const wanted = fromMs(headers.get('retry-after-ms')) ?? fromSecondsOrDate(headers.get('retry-after'), nowMs);
  return wanted === undefined ? undefined : Math.min(Math.max(Math.ceil(wanted), 0), MAX_RETRY_AFTER_MS);
}

function fromMs(value: string | null): number | undefined {
  return value !== null && NUMBER.test(value.trim()) ? Number(value) : undefined;
}

function fromSecondsOrDate(value: string | null, nowMs: number): number | undefined {
  if (value === null) return undefined;
  if (NUMBER.test(value.trim())) return Number(value) * 1000;
  // Date.parse reads "-5" and "12" as years: only what starts with a weekday is an HTTP date.
  const at = /^[A-Z][a-z]{2,8},? /.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? undefined : at - nowMs;
}

const NUMBER = /^-?\d+(\.\d+)?$/;
