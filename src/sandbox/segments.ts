import type { FileHandle } from 'node:fs/promises';

/** The name of a segment, wherever a manifest has it. */
const NAME = /\d{1,12}-[0-9a-f]{12}-\d{1,6}/g;
const WHOLE_NAME = new RegExp(`^(${NAME.source})\\.segment$`);
const MAGIC = Buffer.from('nl2code-segment1');
const ROW_BYTES = 32;
const TRAILER_BYTES = 48;

/** Name of a segment's file. */
export const segmentFile = (name: string): string => `${name}.segment`;

/** The segment that a file's name is of; undefined for other files. */
export const segmentName = (file: string): string | undefined => WHOLE_NAME.exec(file)?.[1];

/** Every segment that a manifest may name; text of a cell may look like one. Pure. */
export function namedSegments(manifest: Buffer): Set<string> {
  return new Set(manifest.toString('latin1').match(NAME));
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
