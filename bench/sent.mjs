// What the model was sent, rebuilt from the differences that a session's chain keeps.
import { createHash } from 'node:crypto';

/**
 * The whole text of each request, oldest first: the tools, then each message. `add` is what came after request `base`, or all of it. Throws
 * when a text is not the one whose digest was kept.
 */
export function sentTexts(requests) {
  const known = new Map();
  return requests.map(({ hash, base, add, sha }) => {
    if (base !== null && !known.has(base)) throw new Error(`the request ${base} that ${hash} builds on is missing`);
    const whole = [...(base === null ? [] : known.get(base)), ...add.map((item) => JSON.stringify(item))];
    known.set(hash, whole);
    const text = `[${whole.join(',')}]`;
    if (createHash('sha256').update(text).digest('hex') !== sha) throw new Error(`the request of ${hash} is not what was sent`);
    return text;
  });
}

/** How many characters two texts share from their start. */
export function prefixChars(a, b) {
  const end = Math.min(a.length, b.length);
  let at = 0;
  while (at < end && a.charCodeAt(at) === b.charCodeAt(at)) at += 1;
  return at;
}
