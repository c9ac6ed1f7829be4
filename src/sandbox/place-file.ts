import { chownSync, lstatSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/**
 * Puts a text file into the workspace of a sandbox's folder, in place of what holds its name; returns the name, or null where it can't
 * stand. Host side: the file is renamed into the workspace's own folder, so no link that a cell left there is followed.
 */
export function placeFile(folder: string, path: string, text: string): string | null {
  const name = basename(path);
  const workspace = join(folder, 'workspace');
  const temporary = join(folder, '.placed.tmp');
  try {
    const { uid, gid } = lstatSync(workspace);
    rmSync(temporary, { force: true });
    writeFileSync(temporary, text, { mode: 0o644, flag: 'wx' });
    if (process.getuid?.() === 0) chownSync(temporary, uid, gid);
    renameSync(temporary, join(workspace, name));
    return name;
  } catch {
    // No workspace yet, or a folder of that name.
    rmSync(temporary, { force: true });
    return null;
  }
}
