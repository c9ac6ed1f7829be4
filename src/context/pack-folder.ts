import { createHash } from 'node:crypto';
import { lstat, readFile, readdir, realpath } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';

const MAX_FILES = 2_000;
const MAX_BYTES = 64 << 20;
/** What tools leave behind; no part of a pack. */
const LEFTOVERS = new Set(['__pycache__', '.pytest_cache', '.mypy_cache', '.ruff_cache', '.git', '.DS_Store']);

/** Something in a pack's folder that no pack may hold; `message` is a sentence with the path. */
export class PackFolderError extends Error {
  override readonly name = 'PackFolderError';
}

/**
 * sha256 over the relative path and content of every file below `root` (a real path), caches of tools left out. Worker side.
 * Equal files give equal digests, wherever they stand and however they were written. Throws `PackFolderError` for a link that
 * leaves the folder, a file that is not a regular one, and a folder that is too large.
 */
export async function folderDigest(root: string): Promise<string> {
  const found: { path: string; line: string }[] = [];
  let bytes = 0;
  const walk = async (folder: string): Promise<void> => {
    for (const name of await readdir(folder)) {
      if (LEFTOVERS.has(name)) continue;
      const full = join(folder, name);
      const path = relative(root, full).split(sep).join('/');
      const facts = await lstat(full);
      if (facts.isDirectory()) {
        await walk(full);
        continue;
      }
      if (found.length >= MAX_FILES) throw new PackFolderError(`the folder holds more than ${MAX_FILES} files`);
      if (facts.isSymbolicLink()) {
        found.push({ path, line: `link ${relative(root, await insideFolder(root, full))}` });
      } else if (facts.isFile()) {
        bytes += facts.size;
        if (bytes > MAX_BYTES) throw new PackFolderError(`the folder holds more than ${MAX_BYTES} bytes`);
        found.push({ path, line: createHash('sha256').update(await readFile(full)).digest('hex') });
      } else {
        throw new PackFolderError(`${path} is not a regular file`);
      }
    }
  };
  await walk(root);
  const hash = createHash('sha256');
  for (const { path, line } of found.sort((a, b) => (a.path < b.path ? -1 : 1))) hash.update(`${JSON.stringify(path)} ${line}\n`);
  return hash.digest('hex');
}

/** The real path behind `full`. Throws `PackFolderError` when there is none, or it lies outside `root` (a real path). */
export async function insideFolder(root: string, full: string): Promise<string> {
  const path = relative(root, full);
  const real = await realpath(full).catch(() => null);
  if (real === null) throw new PackFolderError(`${path} does not exist`);
  if (!real.startsWith(root + sep)) throw new PackFolderError(`${path} leads out of the pack's folder`);
  return real;
}
