import type { Json } from '../session/json.js';

const MAX_CHARS = 400_000;
const MAX_DEPTH = 100;
/** Characters that may be looked at in all: text made to be slow is read in part. */
const WORK_PER_CHAR = 20;
const LEAST_WORK = 2_000_000;
/** What a value that is no JSON costs beside its characters. */
const REFUSAL_WORK = 2000;

/**
 * The JSON objects and arrays that stand in a model's prose, in order; never one inside another. Raw line breaks in strings and
 * escapes that JSON does not know are taken as they were meant. Pure; bounded in time whatever the text.
 */
export function jsonIn(text: string): Json[] {
  const source = text.slice(0, MAX_CHARS);
  const found: Json[] = [];
  let work = Math.max(LEAST_WORK, WORK_PER_CHAR * source.length);
  for (let at = 0; at < source.length && work > 0; ) {
    const { end, read } = begins(source, at) ? extent(source, at) : { end: -1, read: 1 };
    const value = end < 0 ? undefined : parsed(source.slice(at, end));
    work -= read + (end >= 0 && value === undefined ? REFUSAL_WORK : 0);
    if (value !== undefined) found.push(value);
    at = value === undefined ? at + 1 : end;
  }
  return found;
}

/** Whether an object or a list may begin here: what follows the bracket is what can stand there in JSON. */
function begins(source: string, at: number): boolean {
  const first = source[at];
  if (first !== '{' && first !== '[') return false;
  const next = /\S/.exec(source.slice(at + 1, at + 201))?.[0] ?? '';
  return first === '{' ? '"}'.includes(next) : '"{[]-0123456789tfn'.includes(next);
}

/** Where the value that begins at `from` ends (-1: nowhere), and how far that took. Brackets in strings do not count. */
function extent(source: string, from: number): { end: number; read: number } {
  const open: string[] = [];
  let inString = false;
  for (let at = from; at < source.length; at += 1) {
    const char = source[at];
    if (inString) {
      if (char === '\\') at += 1;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === '{' || char === '[') {
      if (open.push(char === '{' ? '}' : ']') > MAX_DEPTH) return { end: -1, read: at - from + 1 };
    } else if (char === '}' || char === ']') {
      if (open.pop() !== char) return { end: -1, read: at - from + 1 };
      if (open.length === 0) return { end: at + 1, read: at - from + 1 };
    }
  }
  return { end: -1, read: source.length - from };
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    const version = repaired(text);
    return version === text ? undefined : parsed(version);
  }
}

const RAW: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Text whose strings hold raw line breaks, or a backslash before what JSON does not escape, as in code with `\d`. */
function repaired(text: string): string {
  let out = '';
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at]!;
    if (inString && char === '\\') {
      const next = text[at + 1] ?? '';
      out += '"\\/bfnrtu'.includes(next) ? char + next : `\\\\${RAW[next] ?? next}`;
      at += 1;
      continue;
    }
    if (char === '"') inString = !inString;
    out += inString ? (RAW[char] ?? char) : char;
  }
  return out;
}
