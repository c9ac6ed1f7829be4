import { keyOf, SHINGLE, wordsOf, type Word } from './words.js';

const PAIR = 4;

/** What a model has already, from its own code or from people: words, and which of them stand together. What is known needs no mask. */
export class Known {
  readonly #words = new Set<string>();
  readonly #runs = new Set<number>();

  /** What is known already stays as it is: `under` takes none of what is added here. */
  constructor(private readonly under?: Known) {}

  /** Takes a text that a model may read as it is. */
  add(text: string): void {
    const words = wordsOf(text.normalize('NFC'));
    for (let i = 0; i < words.length; i += 1) {
      this.#words.add(words[i]!.text);
      if (i > 0) this.#runs.add(keyOf(PAIR, words, i - 1, 2));
      if (i > 1) this.#runs.add(keyOf(SHINGLE, words, i - 2, 3));
    }
  }

  /** Takes every text in a JSON value. */
  addAll(value: unknown): void {
    if (typeof value === 'string') this.add(value);
    else if (Array.isArray(value)) for (const item of value) this.addAll(item);
    else if (value !== null && typeof value === 'object') for (const item of Object.values(value)) this.addAll(item);
  }

  has(word: string): boolean {
    return this.#words.has(word) || this.under?.has(word) === true;
  }

  /** Whether these words in a row are known as such. */
  hasRun(words: readonly Word[], at: number, count: number): boolean {
    if (count === 1) return this.has(words[at]!.text);
    if (count === 2) return this.runs(keyOf(PAIR, words, at, 2));
    for (let i = at; i + 3 <= at + count; i += 1) if (!this.runs(keyOf(SHINGLE, words, i, 3))) return false;
    return true;
  }

  private runs(key: number): boolean {
    return this.#runs.has(key) || this.under?.runs(key) === true;
  }

  /** Whether a text is known as it stands: at least one word, and all in an order that was read. Known words in another order may spell anything. */
  says(text: string): boolean {
    const words = wordsOf(text.normalize('NFC'));
    return words.length > 0 && this.hasRun(words, 0, words.length);
  }
}
