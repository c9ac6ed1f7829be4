import { statSync } from 'node:fs';
import { readKeyFile } from '../config/key-file.js';

/** How many keys are remembered: an answer, or a log of the endpoint, may still name one that was sent before a rotation. */
const REMEMBERED = 4;

/**
 * The key as it is now, first, and those that were in use before it; empty for none. A key from a file is read again when the file
 * changes, so that a rotated one is used without a restart; a file that is gone or half written leaves the last key in use. Reads the
 * disk; runs in workers and clients.
 */
export function keySource(key: string | null, file: string | null): () => readonly string[] {
  const given = key === null ? [] : [key];
  if (file === null) return () => given;
  let seen = '';
  let held = given;
  return () => {
    try {
      const { mtimeMs, ino, size } = statSync(file);
      const now = `${mtimeMs} ${ino} ${size}`;
      const read = now === seen ? null : readKeyFile(file);
      if (read !== null) held = [read, ...held.filter((known) => known !== read)].slice(0, REMEMBERED);
      seen = now;
    } catch {
      // Between the old file and the new one.
    }
    return held;
  };
}
