/** What is left of old steps in a conversation: a line of what ran and a line of what it showed. Pure; what it reads is hostile text. */
import type { ModelReply, RawCall } from '../model/endpoint.js';
import type { CellObservation, VerificationObservation } from '../session/observation.js';
import { callArguments } from './ask.js';
import { callsOf } from './calls.js';
import { pythonBlock } from './code-blocks.js';
import { shownText } from './observation-text.js';
import { oneLine } from './one-line.js';
import { reviewOf } from './replies.js';
import { restoreBrief } from './restore-text.js';

const MAX_NAMES = 12;

/** What a reply did: a line for each call, or for the code it holds, or its first words. */
export function replyBrief(reply: ModelReply): string {
  const review = reviewOf(reply);
  if (review) return `- the review ${review.accept ? 'accepted' : 'did not accept'} it: ${oneLine(review.summary)}`;
  const calls = callsOf(reply);
  if (calls.length > 0) return calls.map((call) => `- ${callBrief(call)}`).join('\n');
  const code = pythonBlock(reply.content);
  return code === undefined ? `- said: ${oneLine(reply.content)}` : `- ${codeBrief(code)}`;
}

function callBrief({ name, arguments: given }: RawCall): string {
  const args = callArguments(given);
  if (typeof args?.code === 'string') return codeBrief(args.code);
  return oneLine(`${name} ${typeof args?.path === 'string' ? args.path : given}`);
}

/** A cell by its first comment, or its first line, and the names it defines at its top level. */
export function codeBrief(code: string): string {
  const lines = code.split('\n').filter((line) => line.trim() !== '');
  const file = /^%%writefile\s+(?:-a\s+)?(\S+)/.exec(lines[0] ?? '');
  if (file) return `wrote ${oneLine(file[1]!)}, ${lines.length - 1} lines`;
  const fresh = /^%%python\b/.test(lines[0] ?? '');
  const title = lines.find((line) => /^#(?![!%])/.test(line)) ?? lines[fresh ? 1 : 0] ?? '';
  const names = fresh ? [] : [...new Set(lines.flatMap(definedIn))];
  const more = names.length > MAX_NAMES ? ', …' : '';
  return `ran ${oneLine(title)}${names.length > 0 ? ` (defines ${names.slice(0, MAX_NAMES).map((name) => oneLine(name, 40)).join(', ')}${more})` : ''}`;
}

function definedIn(line: string): string[] {
  const made = /^(?:async\s+def|def|class)\s+(\w+)/.exec(line) ?? /^import\s+[\w.]+\s+as\s+(\w+)/.exec(line);
  if (made) return [made[1]!];
  const given = /^(\w+(?:\s*,\s*\w+)*)\s*(?::[^=]+)?=(?!=)/.exec(line);
  return given ? given[1]!.split(',').map((name) => name.trim()) : [];
}

/** A cell's end with the first and last line it showed; of an error the class and the message. */
export function cellBrief(seen: CellObservation): string {
  const unknown = [...new Set((seen.uncertain ?? []).map(({ name }) => name))].join(', ');
  const fresh = `${seen.freshKernel ? 'the kernel was new; ' : ''}${restoreBrief(seen)}${unknown ? `not known whether ${oneLine(unknown)} took effect; ` : ''}`;
  if (seen.ended !== 'ok') return `  → ${fresh}${seen.ended}: ${oneLine([seen.ended === 'error' ? seen.error?.type : '', seen.error?.message].filter(Boolean).join(': '))}`;
  const shown = shownText(seen).split('\n').filter((line) => line.trim() !== '');
  const ends = [shown[0], ...(shown.length > 1 ? [shown.length > 2 ? '…' : '|', shown.at(-1)] : [])];
  return `  → ${fresh}ok: ${ends.map((line) => oneLine(line ?? '')).join(' ')}`;
}

/** A verification's verdict and the first thing it found. */
export function verificationBrief({ ok, checks, findings }: VerificationObservation): string {
  const failed = checks.filter(({ state }) => state === 'failed').map(({ check }) => check);
  return `  → verification ${ok ? 'passed' : `failed (${oneLine(failed.join(', '))}): ${oneLine(findings[0]?.message ?? '')}`}`;
}
