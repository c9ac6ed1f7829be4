import { statSync } from 'node:fs';
import { readKeyFile } from '../config/key-file.js';

/**
 * The key as it is now. A key from a file is read again when the file changes, so that a rotated one is used without a restart; a file
 * that is gone or half written leaves the last key in use. Reads the disk; runs in workers and clients.
 */
export function keySource(key: string | null, file: string | null): () => string | null {
  if (file === null) return () => key;
  let seen = '';
  let held = key;
  return () => {
    try {
      const { mtimeMs, ino, size } = statSync(file);
      const now = `${mtimeMs} ${ino} ${size}`;
      if (now !== seen) held = readKeyFile(file) ?? held;
      seen = now;
    } catch {
      // Between the old file and the new one.
    }
    return held;
  };
}
