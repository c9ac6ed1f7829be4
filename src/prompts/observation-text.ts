import type { BoundedText, CellObservation, Display } from '../session/observation.js';
import { restoreLines } from './restore-text.js';

const MAX_UNCERTAIN = 20;
/** Characters of one observation that the model sees. */
export const OBSERVATION_CHARS = 8000;

/** Head and tail of a long text with the count of what was left out. */
export function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  const head = Math.ceil(max * 0.6);
  const tail = max - head;
  return `${text.slice(0, head)}\n[… ${text.length - max} characters left out …]\n${text.slice(text.length - tail)}`;
}

const bounded = ({ text, omitted }: BoundedText): string => (omitted > 0 ? `${text}\n[${omitted} characters were left out in the middle]` : text);

function displayText(display: Display): string {
  const text = display.text['text/plain'] ?? display.text['text/markdown'] ?? display.text['application/json'];
  const images = Object.entries(display.images).map(([mime, { bytes }]) => `[${mime}, ${bytes} bytes, shown to the person]`);
  return [text ? bounded(text) : '', ...images].filter(Boolean).join('\n');
}

/** A cell's observation as the model reads it. */
export function cellText(seen: CellObservation): string {
  const before = restoreLines(seen);
  if (seen.freshKernel) before.push('The kernel was started afresh before this cell: variables of earlier cells are gone, files are still there.');
  return cut([...before, shownText(seen), ...uncertainLines(seen), ...(seen.unsaved ? [seen.unsaved] : [])].join('\n'), OBSERVATION_CHARS);
}

/** What must be known of effects that nobody can tell of. */
function uncertainLines({ uncertain = [] }: CellObservation): string[] {
  return uncertain.slice(0, MAX_UNCERTAIN).map(({ call, name }) => `Whether call ${call} of this cell, nl2code.tools.${name}, took effect is not known: find out before you call it again.`);
}

/** What a cell itself showed. */
export function shownText(seen: CellObservation): string {
  const parts: string[] = [];
  if (seen.stdout.text) parts.push(bounded(seen.stdout).trimEnd());
  if (seen.stderr.text.trim()) parts.push(`stderr:\n${bounded(seen.stderr).trimEnd()}`);
  for (const display of seen.displays) parts.push(displayText(display));
  if (seen.result) parts.push(displayText(seen.result));
  if (seen.error) parts.push(seen.ended === 'error' ? seen.error.traceback.trimEnd() || `${seen.error.type}: ${seen.error.message}` : seen.error.message);
  if (parts.length === 0) parts.push('(no output)');
  return parts.join('\n');
}
