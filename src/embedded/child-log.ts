import { closeSync, mkdirSync, openSync, readSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** A log file grows to this many bytes before the next start sets it aside. */
const MAX_LOG_BYTES = 5 * 1024 * 1024;

/** Opens a log for appending and returns its descriptor. The log before it is kept once, under `.1`. */
export function openLog(path: string): number {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > MAX_LOG_BYTES) renameSync(path, `${path}.1`);
  return openSync(path, 'a', 0o600);
}

/** The last line of a log that says something, cut to 300 characters; empty when there is none. */
export function lastLine(path: string): string {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size === 0) return '';
  const fd = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(Math.min(size, 8192));
    const read = readSync(fd, bytes, 0, bytes.length, size - bytes.length);
    const lines = bytes.toString('utf8', 0, read).split('\n').filter((line) => line.trim() !== '');
    return (lines.at(-1) ?? '').trim().replace(/\.$/, '').slice(0, 300);
  } finally {
    closeSync(fd);
  }
}
