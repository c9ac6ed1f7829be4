import type { CodeRef } from '../session/decision.js';
import { Nl2codeError } from '../session/error-table.js';
import type { SessionFolder } from '../store/session-store.js';

/** The text of code that a step was given. Throws `bad-request` where it was given none. */
export function codeText(folder: SessionFolder, code: CodeRef | null): string {
  if (code && 'hash' in code) return folder.blobs.read(code.hash);
  if (code && 'text' in code) return code.text;
  throw new Nl2codeError('bad-request', 'A cell needs its code.');
}
