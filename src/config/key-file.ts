import { readFileSync } from 'node:fs';

/** The one key that a file holds, white space around it ignored; null when it holds none or more. Throws what reading throws. */
export function readKeyFile(path: string): string | null {
  const key = readFileSync(path, 'utf8').trim();
  return key && !/\s/.test(key) ? key : null;
}
