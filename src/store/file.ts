import { randomBytes } from 'node:crypto';
import { closeSync, constants, copyFileSync, fdatasyncSync, fsyncSync, linkSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Nl2codeError } from '../session/error-table.js';

/** What a finished write survives: the death of any process, or a power cut too. */
export type Durability = 'process' | 'host';

/** Writes bytes to a new temporary file in `folder` and returns its path: a file is complete before it gets its name. */
export function writeTemporary(folder: string, bytes: string | Uint8Array, durability: Durability): string {
  const path = join(folder, `.tmp-${randomBytes(9).toString('hex')}`);
  const fd = openSync(path, 'wx', 0o600);
  try {
    const data = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
    for (let at = 0; at < data.length; ) at += writeSync(fd, data, at);
    if (durability === 'host') fdatasyncSync(fd);
  } catch (error) {
    // On a full disk a half file would take the room that the next attempt needs.
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
  return path;
}

/** `link(2)`: true when this call gave the name, false when the name was taken. */
export function linkIfAbsent(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Gives a file that nobody ever changes one more name, or copies it where it can have no other. */
export function shareFile(from: string, to: string, durability: Durability): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    if (durability === 'host') syncFolder(to, durability);
  }
}

/** Makes names in `folder` survive a power cut; nothing to do for `process`. */
export function syncFolder(folder: string, durability: Durability): void {
  if (durability !== 'host') return;
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Runs a write and turns a full disk or quota into `store-full`. */
export function writing<T>(what: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOSPC' || code === 'EDQUOT') throw new Nl2codeError('store-full', `${what} could not be written: no space left.`, { cause: error });
    throw error;
  }
}
