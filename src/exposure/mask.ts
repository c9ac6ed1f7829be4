/**
 * Masks a text under exposure `masked`. Pure: the same text and knowledge give the same result in every worker and attempt.
 * Invariants:
 * (1) time is linear in the length of the text, whatever it holds;
 * (2) equal values get equal placeholders within a session, and nobody without its key can tell which value one stands for;
 * (3) a placeholder in the result is ours: what looks like one in the text is spelled otherwise.
 */
import { createHmac } from 'node:crypto';
import type { Known } from './known.js';
import { numberSpans, patternSpans, type Span } from './patterns.js';
import type { Kind, Sensitive } from './sensitive.js';
import { isCommon } from './common-words.js';
import { keyOf, MAX_VALUE_WORDS, SHINGLE, VALUE, WORD, wordsOf, type Word } from './words.js';

export interface MaskOptions {
  /** One for each look at inputs of the session. */
  sensitive: readonly Sensitive[];
  known: Known;
  /** Words of libraries and their messages. */
  library: ReadonlySet<string>;
  /** Secret of the session. */
  key: string;
}

const TAG_LETTERS = 'abcdefghjkmnpqrstuvwxyz23456789';
const TAG_CHARS = 5;
/** Characters between two words of one value: quotes, commas, a line break. */
const MAX_GAP = 8;
const MIN_DIGITS = 7;
const FEW_COMMON = 5;
/** Marks that part a word and can't be seen. */
const INVISIBLE = /\p{Cf}/gu;
/** How the look at the inputs writes what digits a text has. */
const SHAPE_OF_DIGITS = /^[+9 ()./-]*$/;

const isCapital = (text: string, word: Word): boolean => /^\p{Lu}/u.test(text.slice(word.start, word.end));

export class Mask {
  readonly #tags = new Map<string, string>();
  readonly #digits: ReadonlySet<number>;

  constructor(private readonly options: MaskOptions) {
    this.#digits = new Set(options.sensitive.flatMap(({ digits }) => [...digits]));
  }

  /** The text with what must not be read as placeholders, such as `‹name k3x9p›`. */
  text(given: string): string {
    if (given === '') return given;
    const text = given.normalize('NFC').replace(INVISIBLE, '').replaceAll('‹', '<').replaceAll('›', '>');
    const words = wordsOf(text);
    const taken: (Kind | undefined)[] = Array.from({ length: words.length });
    const spans = this.patterns(text, words, taken);
    this.values(words, taken, spans);
    this.shingles(words, taken, spans);
    this.singles(text, words, taken, spans);
    return this.written(text, spans);
  }

  /** What looks like an identifier, unless its words are known together. */
  private patterns(text: string, words: Word[], taken: (Kind | undefined)[]): Span[] {
    const found = [...patternSpans(text), ...numberSpans(text, this.#digits)].sort((a, b) => a.start - b.start || b.end - a.end);
    const spans: Span[] = [];
    let at = 0;
    let end = 0;
    for (const span of found) {
      if (span.start < end) continue;
      while (at < words.length && words[at]!.end <= span.start) at += 1;
      let to = at;
      while (to < words.length && words[to]!.start < span.end) to += 1;
      if (to === at || this.options.known.hasRun(words, at, to - at) || SHAPE_OF_DIGITS.test(text.slice(span.start, span.end))) continue;
      taken.fill(span.kind, at, to);
      spans.push(span);
      end = span.end;
    }
    return spans;
  }

  /** Whole values of the inputs, the longest first; one that holds an identifier is more than that. */
  private values(words: Word[], taken: (Kind | undefined)[], spans: Span[]): void {
    for (let i = 0; i < words.length; i += 1) {
      let most = 1;
      while (most < MAX_VALUE_WORDS && i + most < words.length && this.close(words, i + most)) most += 1;
      for (let count = most; count > 0; count -= 1) {
        const kind = this.kindOf(keyOf(VALUE, words, i, count));
        if (!kind || !this.telling(words, i, count, kind) || this.options.known.hasRun(words, i, count)) continue;
        this.take(words, i, count, kind, taken, spans);
        i += count - 1;
        break;
      }
    }
  }

  /** Parts of longer texts: three words in a row and more, of which at least one says something. */
  private shingles(words: Word[], taken: (Kind | undefined)[], spans: Span[]): void {
    let from = -1;
    let to = -1;
    let kind: Kind = 'text';
    const end = () => {
      if (from < 0) return;
      const run = words.slice(from, to);
      const lettered = run.filter((word) => /\p{L}/u.test(word.text));
      if (lettered.some((word) => word.text.length > 2 && !isCommon(word.text)) || lettered.length >= FEW_COMMON) this.take(words, from, to - from, kind, taken, spans);
      from = -1;
    };
    for (let i = 0; i + 2 < words.length; i += 1) {
      const free = !taken[i] && !taken[i + 1] && !taken[i + 2] && this.close(words, i + 1) && this.close(words, i + 2);
      const found = free ? this.kindOf(keyOf(SHINGLE, words, i, 3)) : undefined;
      if (found && !this.options.known.hasRun(words, i, 3)) {
        if (from >= 0 && i >= to) end();
        if (from < 0) from = i;
        kind = found;
        to = i + 3;
      }
    }
    end();
  }

  /** Words that may name somebody by themselves, and words that nobody knows. */
  private singles(text: string, words: Word[], taken: (Kind | undefined)[], spans: Span[]): void {
    for (let i = 0; i < words.length; i += 1) {
      if (taken[i]) continue;
      const word = words[i]!;
      const isCut = i > 0 && taken[i - 1] !== undefined && this.close(words, i) && (text.startsWith('...', word.end) || text.startsWith('…', word.end));
      const kind = isCut ? taken[i - 1] : this.single(word.text, words, i);
      if (!kind) continue;
      // A name may begin with a word that stands everywhere, as Will does.
      const first = i > 0 && !taken[i - 1] && isCommon(words[i - 1]!.text) && isCapital(text, word) && isCapital(text, words[i - 1]!) && text.slice(words[i - 1]!.end, word.start) === ' ';
      this.take(words, first ? i - 1 : i, first ? 2 : 1, kind, taken, spans);
    }
  }

  private single(word: string, words: Word[], at: number): Kind | undefined {
    const { known, library } = this.options;
    if (known.has(word) || isCommon(word)) return undefined;
    const kind = this.kindOf(keyOf(WORD, words, at, 1));
    if (kind) return kind;
    if (/^\p{N}+$/u.test(word) || library.has(word)) return undefined;
    if (/^[a-z]+$/.test(word)) return word.length > 2 && !/^([a-z])\1*$/.test(word) ? 'text' : undefined;
    const strange = word.split(/\p{N}+/u).some((part) => part.length > 2 && !library.has(part) && !known.has(part) && !isCommon(part) && !/^(\p{L})\1*$/u.test(part));
    return strange || /^\P{Script=Latin}{2,}$/u.test(word) ? 'text' : undefined;
  }

  private take(words: Word[], at: number, count: number, kind: Kind, taken: (Kind | undefined)[], spans: Span[]): void {
    taken.fill(kind, at, at + count);
    spans.push({ start: words[at]!.start, end: words[at + count - 1]!.end, kind });
  }

  /** Whether a word belongs to the one before it, as words of one value do. */
  private close(words: Word[], at: number): boolean {
    return words[at]!.start - words[at - 1]!.end <= MAX_GAP;
  }

  /** A run of digits alone tells nobody unless it is long. */
  private telling(words: Word[], at: number, count: number, kind: Kind): boolean {
    let digits = 0;
    for (let i = at; i < at + count; i += 1) {
      if (!/^\p{N}+$/u.test(words[i]!.text)) return true;
      digits += words[i]!.text.length;
    }
    return kind !== 'text' && digits >= MIN_DIGITS;
  }

  private kindOf(key: number): Kind | undefined {
    for (const look of this.options.sensitive) {
      const kind = look.kindOf(key);
      if (kind) return kind;
    }
    return undefined;
  }

  private written(text: string, spans: Span[]): string {
    if (spans.length === 0) return text;
    spans.sort((a, b) => a.start - b.start || b.end - a.end);
    const parts: string[] = [];
    let at = 0;
    for (let i = 0; i < spans.length; i += 1) {
      const { start, kind } = spans[i]!;
      let { end } = spans[i]!;
      for (let next = spans[i + 1]; next; next = spans[i + 1]) {
        // A name of two words that were found one by one is one name.
        const joins = next.start < end || (next.kind === kind && /^[ '’.-]$/.test(text.slice(end, next.start)));
        if (!joins) break;
        end = Math.max(end, next.end);
        i += 1;
      }
      parts.push(text.slice(at, start), `‹${kind} ${this.tag(text.slice(start, end))}›`);
      at = end;
    }
    parts.push(text.slice(at));
    return parts.join('');
  }

  private tag(value: string): string {
    const name = wordsOf(value).map((word) => word.text).join(' ');
    const known = this.#tags.get(name);
    if (known) return known;
    const digest = createHmac('sha256', this.options.key).update(name).digest();
    const tag = [...digest.subarray(0, TAG_CHARS)].map((byte) => TAG_LETTERS[byte % TAG_LETTERS.length]).join('');
    this.#tags.set(name, tag);
    return tag;
  }
}
