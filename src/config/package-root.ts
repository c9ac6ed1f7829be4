import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of this package, whether the code runs from `src/` or `dist/`. Worker and client side; reads the disk. */
export function packageRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    try {
      const { name } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: string };
      if (name === 'temporal-nl2code') return folder;
    } catch {
      // No package.json here: look one folder up.
    }
    if (folder === dirname(folder)) throw new Error(`no package.json of temporal-nl2code above ${fileURLToPath(import.meta.url)}`);
  }
}
