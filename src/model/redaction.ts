const WINDOW = 8;

/**
 * Text of an upstream made fit to stand in our error: control and direction characters out, the keys out, at most `max`
 * characters. Pure.
 */
export function quotable(text: string, keys: readonly string[], max = 300): string {
  const clean = redacted(text.slice(0, 20_000), keys)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .replace(/\p{Surrogate}/gu, '\ufffd')
    .trim();
  return clean.length > max ? `${clean.slice(0, max - 1)}…` : clean;
}

/**
 * Replaces each key, and any piece of it of 8 characters or more, by `[key]`: providers echo keys with their middle
 * starred out.
 * Keys shorter than 8 characters are placeholders of local servers and stay as they are. Pure.
 */
export function redacted(text: string, keys: readonly string[]): string {
  const windows = new Set(keys.flatMap((key) => Array.from({ length: Math.max(0, key.length - WINDOW + 1) }, (_, i) => key.slice(i, i + WINDOW))));
  let out = '';
  let end = 0;
  for (let i = 0; i <= text.length - WINDOW; i++) {
    if (!windows.has(text.slice(i, i + WINDOW))) continue;
    if (i > end || out === '') out += text.slice(end, i) + '[key]';
    end = i + WINDOW;
  }
  return out + text.slice(end);
}
