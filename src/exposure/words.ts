/** A run of letters and digits of a text: where it stands, in lower case, with two lanes of hash. */
export interface Word {
  start: number;
  end: number;
  text: string;
  first: number;
  second: number;
}

/** What a key is of, as `guest/nl2code_guest/word_hashes.py` counts them. */
export const WORD = 1;
export const VALUE = 2;
export const SHINGLE = 3;
export const MAX_VALUE_WORDS = 6;

const RUN = /[\p{L}\p{N}]+/gu;
const ESCAPED = /^[ntr]/;

/** The words of a text, in order. Pure; linear in its length. */
export function wordsOf(text: string): Word[] {
  const words: Word[] = [];
  for (const match of text.matchAll(RUN)) {
    let start = match.index;
    let run = match[0];
    const end = start + run.length;
    // The n of `\n` in the repr of a text is no letter of its next word.
    if (start > 0 && text.charCodeAt(start - 1) === 0x5c && ESCAPED.test(run)) {
      start += 1;
      run = run.slice(1);
      if (!run) continue;
    }
    const lower = run.toLowerCase();
    words.push({ start, end, text: lower, ...lanes(lower) });
  }
  return words;
}

function lanes(word: string): { first: number; second: number } {
  let first = 0x811c9dc5;
  let second = 0x9747b28c;
  for (let i = 0; i < word.length; i += 1) {
    const code = word.codePointAt(i)!;
    if (code > 0xffff) i += 1;
    first = Math.imul(first ^ code, 0x01000193);
    second = Math.imul(second ^ code, 0x5bd1e995);
    second ^= second >>> 13;
  }
  return { first, second };
}

/** Key of `count` words from `at` on: a whole number below 2^52. Pure. */
export function keyOf(kind: number, words: readonly Word[], at: number, count: number): number {
  let first = kind;
  let second = kind ^ 0x9e3779b9;
  for (let i = at; i < at + count; i += 1) {
    first = Math.imul(first ^ words[i]!.first, 0x85ebca6b);
    first ^= first >>> 15;
    second = Math.imul(second ^ words[i]!.second, 0xc2b2ae35);
    second ^= second >>> 13;
  }
  return (first >>> 0) * 0x100000 + (second >>> 12);
}
