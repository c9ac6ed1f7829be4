import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../config/package-root.js';

const MAX_PACK_BYTES = 1 << 20;
let words: ReadonlySet<string> | undefined;

/** Words of the messages and names of Python and of the packages in a sandbox, lower case. Read once; worker side. */
export function libraryWords(): ReadonlySet<string> {
  words ??= new Set(readFileSync(join(packageRoot(), 'guest', 'library-words.txt'), 'utf8').split(/\s+/).filter(Boolean));
  return words;
}

/** All text of a pack's folder that its messages may come from: Python and YAML, at most a megabyte. Worker side. */
export function packWords(folder: string): string {
  const texts: string[] = [];
  let left = MAX_PACK_BYTES;
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(folder, name);
    if (!/\.(py|ya?ml)$/.test(name) || /(^|\/)(playbooks|tests)\//.test(name)) continue;
    const { size } = statSync(path);
    if ((left -= size) < 0) break;
    texts.push(readFileSync(path, 'utf8'));
  }
  return texts.join('\n');
}
