import type { FileHandle } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** The name of a segment, wherever a manifest has it. */
const NAME = /\d{1,12}-[0-9a-f]{12}-\d{1,6}/g;
const LONGEST_NAME = 32;
/** Looked through at a time: some milliseconds, whatever is in it. */
const SLICE_BYTES = 256 << 10;
/** Segments that all manifests which are looked at together may name; no kernel comes near. */
export const MOST_SEGMENTS = 100_000;
const WHOLE_NAME = new RegExp(`^(${NAME.source})\\.segment$`);
const MAGIC = Buffer.from('nl2code-segment1');
const ROW_BYTES = 32;
const TRAILER_BYTES = 48;

/** Name of a segment's file. */
export const segmentFile = (name: string): string => `${name}.segment`;

/** The segment that a file's name is of; undefined for other files. */
export const segmentName = (file: string): string | undefined => WHOLE_NAME.exec(file)?.[1];

/**
 * Every segment that a manifest may name and that is not among `known`, to which they are added; text of a cell may look like one. Undefined where
 * they would come to more than `MOST_SEGMENTS` together: then `known` is as it was. Holds up nobody else for long, whatever a manifest is made of.
 */
export async function namedSegments(manifest: Buffer, known: Set<string>): Promise<string[] | undefined> {
  const found: string[] = [];
  for (let start = 0; ; await nextTurn()) {
    const end = Math.min(start + SLICE_BYTES, manifest.length);
    // A name that begins after it may go on after the slice, and is found in the next one.
    const last = end === manifest.length ? end : end - LONGEST_NAME;
    let next = last;
    for (const { 0: { length }, index } of manifest.toString('latin1', start, end).matchAll(NAME)) {
      const at = start + index;
      if (at >= last) break;
      next = Math.max(last, at + length);
      // Not the match itself, which would keep the slice in memory.
      const name = manifest.toString('latin1', at, at + length);
      if (known.has(name)) continue;
      known.add(name);
      found.push(name);
      if (known.size > MOST_SEGMENTS) {
        for (const each of found) known.delete(each);
        return undefined;
      }
    }
    if (end === manifest.length) return found;
    start = next;
  }
}

/**
 * Whether a file ends as a finished segment of its size does, as `segment_format.py` has it. What it holds is looked at by the guest alone,
 * which compares every byte with its hash.
 */
export async function endsWhole(file: FileHandle, size: number): Promise<boolean> {
  if (size < TRAILER_BYTES) return false;
  const trailer = Buffer.alloc(TRAILER_BYTES);
  await file.read(trailer, 0, TRAILER_BYTES, size - TRAILER_BYTES);
  const [end, rows] = [trailer.readBigUInt64LE(0), trailer.readBigUInt64LE(8)];
  return trailer.subarray(-MAGIC.length).equals(MAGIC) && end + rows * BigInt(ROW_BYTES) + BigInt(TRAILER_BYTES) === BigInt(size);
}
