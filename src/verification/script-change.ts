import { structuredPatch } from 'diff';
import type { ScriptChange } from '../session/changes.js';
import type { Hash } from '../session/json.js';

/** Comparing takes time in the product of lines and differences, and holds the worker up: beyond these a script counts as another one. */
const MAX_LINES = 4_000;
const MAX_EDITS = 1_000;
const SHOWN_LINES = 80;
const SHOWN_CHARS = 4_000;

/** How a script differs from the one before, as a unified diff of bounded length. Pure; reads them as lines and as nothing else. */
export function scriptChange(before: Hash, was: string, now: string): ScriptChange {
  if (was === now) return { before, added: 0, removed: 0, diff: '' };
  const [a, b] = [was.split('\n').length, now.split('\n').length];
  const patch = a > MAX_LINES || b > MAX_LINES ? undefined : structuredPatch('', '', was, now, '', '', { context: 2, maxEditLength: MAX_EDITS });
  if (!patch) return { before, added: b, removed: a, diff: `[another script: ${a} lines before, ${b} now]` };
  const { hunks } = patch;
  const lines = hunks.flatMap((hunk) => [`@@ -${hunk.oldStart},${hunk.oldLines} +${hunk.newStart},${hunk.newLines} @@`, ...hunk.lines]);
  const counted = (sign: string) => hunks.flatMap((hunk) => hunk.lines).filter((line) => line.startsWith(sign)).length;
  return { before, added: counted('+'), removed: counted('-'), diff: bounded(lines) };
}

function bounded(lines: string[]): string {
  const shown = lines.slice(0, SHOWN_LINES).join('\n').slice(0, SHOWN_CHARS);
  const left = lines.length - shown.split('\n').length;
  return left > 0 ? `${shown}\n[${left} more lines]` : shown;
}
