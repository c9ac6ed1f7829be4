import { describe, expect, it } from 'vitest';
import { MOST_SEGMENTS, namedSegments } from '../../src/sandbox/segments.js';

const name = (n: number) => `1-${n.toString(16).padStart(12, '0')}-1`;
const names = (count: number, from = 0) => Array.from({ length: count }, (_, n) => name(from + n)).join(' ');
const SLICE = 256 << 10;

describe('the segments that a manifest names', () => {
  it('are found wherever they stand, also where it is looked through in parts', async () => {
    const long = `${'9'.repeat(14)}-${'a'.repeat(12)}-${'7'.repeat(8)}`;
    for (const what of [`x${name(3)}x`, long, `${name(4)}${name(5)}`, '1'.repeat(70), `${long}-${'b'.repeat(12)}-5`])
      for (let at = SLICE - 70; at < SLICE + 5; at += 1) {
        const text = `${' '.repeat(at)}${what}${' '.repeat(SLICE - 40)}${what} ${name(6)}`;
        const whole = new Set(text.match(/\d{1,12}-[0-9a-f]{12}-\d{1,6}/g));
        expect(new Set(await namedSegments(Buffer.from(text, 'latin1'), new Set())), `${what} at ${at}`).toEqual(whole);
      }
  });

  it('are told once', async () => {
    const known = new Set([name(1)]);
    expect(await namedSegments(Buffer.from(`${name(1)} ${name(2)} ${name(2)}`), known)).toEqual([name(2)]);
    expect(known).toEqual(new Set([name(1), name(2)]));
  });

  it('are so many and no more, of all manifests that are looked at together', async () => {
    const known = new Set<string>();
    expect(await namedSegments(Buffer.from(names(MOST_SEGMENTS - 1)), known)).toHaveLength(MOST_SEGMENTS - 1);
    expect(await namedSegments(Buffer.from(names(2, MOST_SEGMENTS)), known)).toBeUndefined();
    expect(await namedSegments(Buffer.from(names(1, MOST_SEGMENTS)), known)).toHaveLength(1);
    expect(known.size).toBe(MOST_SEGMENTS);
  });

  it.each([
    ['names', Buffer.from(names(60_000))],
    ['digits', Buffer.alloc(1 << 20, '123456789012')],
    ['almost names', Buffer.from('123456789012-aaaaaaaaaaa '.repeat(40_000))],
  ])('hold nobody up while they are looked for, in a large one of nothing but %s', async (_what, part) => {
    const manifest = Buffer.concat(Array.from({ length: Math.ceil((24 << 20) / part.length) }, () => part));
    let turns = 0;
    const turn = () => {
      turns += 1;
      other = setImmediate(turn);
    };
    let other = setImmediate(turn);
    await namedSegments(manifest, new Set());
    clearImmediate(other);
    // At least one for each MiB, which takes some hundredths of a second.
    expect(turns).toBeGreaterThan(manifest.length / (1 << 20));
  });
});
