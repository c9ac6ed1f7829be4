import { z } from 'zod';
import { Nl2codeError } from '../session/error-table.js';

/** What a masked text is called in its placeholder. */
export type Kind = 'text' | 'name' | 'email' | 'phone' | 'address' | 'id' | 'url';

/** One table, or other content, of an input: what may be told of it under every exposure. */
export interface InputPart {
  file: string;
  kind: string;
  /** The call that reads it; empty where there is none. */
  code: string;
  rows: number | null;
  /** `name` is null where data seems to stand in the place of a header. */
  columns: { name: string | null; dtype: string }[];
}

/** Its name in a sandbox's checkpoint folder. */
export const LOOK_FILE = 'sensitive.json';

/** Bytes of what the guest may hand over. */
export const MAX_SENSITIVE_BYTES = 32 << 20;

const text = z.string().max(1_000);
const heldSchema = z.object({
  v: z.literal(1),
  versions: z.string().max(4_000),
  parts: z.array(z.object({ file: text, kind: text, code: text, rows: z.number().int().nullable(), columns: z.array(z.object({ name: text.nullable(), dtype: text })).max(2_000) })).max(10_000),
  categories: z.array(text).max(2_000),
  digits: z.array(z.number().int().min(1).max(40)).max(40),
  partial: z.array(text).max(1_000),
  unread: z.array(text).max(1_000),
  kinds: z.array(z.enum(['text', 'name', 'email', 'phone', 'address', 'id'])).min(1).max(20),
  keys: z.string(),
  kindOf: z.string(),
});

/** What a look notes that found nothing. */
export const NOTHING_HELD: z.infer<typeof heldSchema> = { v: 1, versions: '', parts: [], categories: [], digits: [], partial: [], unread: [], kinds: ['text'], keys: '', kindOf: '' };

/** What the inputs hold that a model must not read, as hashes, and what it may: the guest's look at them before any generated code ran. */
export class Sensitive {
  /** Python and the packages that code can use. */
  readonly versions: string;
  readonly parts: readonly InputPart[];
  readonly categories: readonly string[];
  /** Digits of long ids. */
  readonly digits: ReadonlySet<number>;
  readonly #kinds: readonly Kind[];
  readonly #keys: Float64Array;
  readonly #kindOf: Uint8Array;
  /** Where the keys of each of 4096 equal ranges begin. */
  readonly #ranges = new Uint32Array(4097);

  /** Reads what the guest left; throws `bad-input` for what is not of its form. */
  static read(json: string): Sensitive {
    try {
      return new Sensitive(heldSchema.parse(JSON.parse(json)));
    } catch (error) {
      throw new Nl2codeError('bad-input', 'What was noted of the inputs is malformed.', { cause: error });
    }
  }

  private constructor(held: z.infer<typeof heldSchema>) {
    this.versions = held.versions;
    this.parts = held.parts;
    this.categories = held.categories;
    this.digits = new Set(held.digits);
    this.#kinds = held.kinds;
    const bytes = Buffer.from(held.keys, 'base64');
    this.#keys = new Float64Array(new Uint8Array(bytes).buffer, 0, Math.floor(bytes.length / 8));
    this.#kindOf = new Uint8Array(Buffer.from(held.kindOf, 'base64'));
    const sorted = this.#keys.every((key, i) => i === 0 || key >= this.#keys[i - 1]!);
    if (!sorted || this.#kindOf.length !== this.#keys.length) throw new RangeError('keys');
    for (let range = 0, at = 0; range <= 4096; range += 1) {
      while (at < this.#keys.length && this.#keys[at]! < range * RANGE) at += 1;
      this.#ranges[range] = at;
    }
  }

  /** The kind of a key, undefined when it is not among them. */
  kindOf(key: number): Kind | undefined {
    const range = Math.floor(key / RANGE);
    for (let low = this.#ranges[range]!, high = this.#ranges[range + 1]!; low < high; ) {
      const middle = (low + high) >>> 1;
      const found = this.#keys[middle]!;
      if (found === key) return this.#kinds[this.#kindOf[middle]!] ?? 'text';
      if (found < key) low = middle + 1;
      else high = middle;
    }
    return undefined;
  }
}

const RANGE = 2 ** 40;
