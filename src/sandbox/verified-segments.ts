import { closeSync, constants, fstatSync, openSync, readFileSync, writeSync } from 'node:fs';
import { bootId } from './process/run-state.js';

const { O_RDONLY, O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
const MAX_BYTES = 16 << 20;

/**
 * Which segments of a folder its guest has read through and found whole: lines of boot, segment, inode, size and ctime. Giving a segment another
 * name changes its ctime, so what is known of it is carried over here; else a gigabyte would be read again. The record is the sandbox's own: a
 * false line spares it a look at what it could write anyway.
 */
export function verifiedSegments(path: string): ReadonlySet<string> {
  try {
    const fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      const found = fstatSync(fd);
      return new Set(found.isFile() && found.size <= MAX_BYTES ? readFileSync(fd, 'latin1').split('\n') : []);
    } finally {
      closeSync(fd);
    }
  } catch {
    return new Set();
  }
}

/** The line of a segment as it is now. */
export function verifiedLine(name: string, fd: number): string {
  const { ino, size, ctimeNs } = fstatSync(fd, { bigint: true });
  return `${bootId().replaceAll('-', '')} ${name} ${ino} ${size} ${ctimeNs}`;
}

/** Adds lines to a record, which may be missing; what can't be added costs time only. */
export function addVerified(path: string, lines: readonly string[]): void {
  if (lines.length === 0) return;
  try {
    const fd = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
    try {
      if (fstatSync(fd).isFile()) writeSync(fd, `${lines.join('\n')}\n`);
    } finally {
      closeSync(fd);
    }
  } catch {
    // A full disk, or no file of the guest's.
  }
}
