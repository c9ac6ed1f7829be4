import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { removeTree } from '../../store/hostile-tree.js';

/** Removes what a folder that a sandbox wrote to holds; no link is followed, nor a link in the folder's own place. For a sandbox that has ended. */
export async function emptyFolder(folder: string): Promise<void> {
  if (lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return;
  for (const path of readdirSync(folder).map((name) => join(folder, name))) {
    try {
      rmSync(path, { recursive: true, force: true });
    } catch {
      // Too deep for paths, or without permissions: a process for each would take long.
      await removeTree(path);
    }
  }
}
