import { Nl2codeError, type ErrorCode } from '../session/error-table.js';

/** A refusal whose sentence ends in its own remedy. */
export function refusal(sentence: string, code: ErrorCode = 'bad-request', cause?: unknown): Nl2codeError {
  return new Nl2codeError(code, sentence, { remedy: '', ...(cause === undefined ? {} : { cause }) });
}

/** A value as a sentence shows it: quoted, control characters escaped, at most 80 characters. */
export function shown(value: unknown): string {
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
