import { closeSync, constants, fstatSync, openSync, readFileSync, writeSync, type BigIntStats } from 'node:fs';
import { bootId } from './process/run-state.js';

const { O_RDONLY, O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
const MAX_BYTES = 16 << 20;

/**
 * Which segments of a folder its guest has read through and found whole: lines as `verified_record.py` has them. Sharing a segment changes what
 * it is known by, so what is known of it is carried over here; else a gigabyte would be read again. The record is the sandbox's own: a false line
 * spares it a look at what it could write anyway.
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

/**
 * What a segment is known by as it is now: where it belongs to root and is read-only, so that no guest under isolation can write to it, by the
 * time of its last write, which no link more or less changes; else by its ctime.
 */
export function verifiedLine(name: string, { ino, size, uid, mode, mtimeNs, ctimeNs }: BigIntStats): string {
  const at = uid === 0n && (mode & 0o222n) === 0n ? `m${mtimeNs}` : String(ctimeNs);
  return `${bootId().replaceAll('-', '')} ${name} ${ino} ${size} ${at}`;
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
