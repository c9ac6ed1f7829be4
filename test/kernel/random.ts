/** Repeatable randomness for generated cases: the seed names the run. */
export interface Random {
  int(least: number, most: number): number;
  chance(of: number): boolean;
  bytes(count: number): Buffer;
  /** A JSON value nested at most `depth` deep, with awkward text in it. */
  json(depth: number): unknown;
}

const AWKWARD = ['', '"', '\\', '\\"', '{', '[', ']}', '\u2028', 'é', '😀', '\n', '__proto__', 'type', '\\u0000'];

export function random(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (least: number, most: number) => least + Math.floor(next() * (most - least + 1));
  const text = () => Array.from({ length: int(0, 5) }, () => AWKWARD[int(0, AWKWARD.length - 1)]).join('');
  const json = (depth: number): unknown => {
    const kind = int(0, depth > 0 ? 6 : 4);
    if (kind === 0) return null;
    if (kind === 1) return next() < 0.5;
    if (kind === 2) return int(-1e9, 1e9) / 8;
    if (kind < 5) return text();
    if (kind === 5) return Array.from({ length: int(0, 4) }, () => json(depth - 1));
    return Object.fromEntries(
      Array.from({ length: int(0, 4) }, (_, n) => [`${n}${text().replaceAll('__proto__', '')}`, json(depth - 1)]),
    );
  };
  return {
    int,
    chance: (of) => next() < of,
    bytes: (count) => Buffer.from(Array.from({ length: count }, () => int(0, 255))),
    json,
  };
}
