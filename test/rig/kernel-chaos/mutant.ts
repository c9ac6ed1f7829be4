import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../in-process.js';

/** A change to a file of the package: what stands there once, and what is put in its place. */
export interface Breakage {
  /** Relative to the package. */
  file: string;
  find: string;
  put: string;
}

/** A copy of the package that is broken on purpose. Remove it with `remove`. */
export function mutant(breakages: readonly Breakage[]): { root: string; remove(): void } {
  const root = mkdtempSync(join(tmpdir(), 'nl2code-mutant-'));
  for (const name of ['package.json', 'dist', 'guest', 'packs']) cpSync(join(ROOT, name), join(root, name), { recursive: true });
  mkdirSync(join(root, 'test'));
  cpSync(join(ROOT, 'test', 'rig'), join(root, 'test', 'rig'), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  for (const { file, find, put } of breakages) {
    const path = join(root, file);
    const text = readFileSync(path, 'utf8');
    if (text.split(find).length !== 2) throw new Error(`${file} does not hold ${JSON.stringify(find)} once`);
    writeFileSync(path, text.replace(find, () => put));
  }
  return { root, remove: () => rmSync(root, { recursive: true, force: true }) };
}
