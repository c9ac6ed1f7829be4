import { lstatSync, readdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';

/** As the guest writes them: one file for each committed cell, named by its number. What they hold is the guest's alone. */
const NAME = /^(\d{8}|[1-9]\d{8,11})\.manifest$/;

/** Larger ones are read by no guest: two headers, the images of a reply and a state, as `manifests.py` has them. */
export const MAX_MANIFEST_BYTES = ((8 + 32 + 64) << 20) + 1024;

/** Name of a cell's manifest. */
export const manifestName = (k: number): string => `${String(k).padStart(8, '0')}.manifest`;

/** The cell that a file's name is the manifest of; undefined for other files. */
export function manifestNumber(name: string): number | undefined {
  const digits = NAME.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Cells that have a manifest in a folder of them, whole or not, in ascending order; none where there is no such folder. Host side. */
export function manifestNumbers(folder: string): number[] {
  if (lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  return readdirSync(folder)
    .flatMap((name) => manifestNumber(name) ?? [])
    .sort((a, b) => a - b);
}

/** Removes the manifests of cells from `k` on, newest first, and says how many are left. For a sandbox that has ended. */
export function discardManifests(folder: string, k: number): number {
  const numbers = manifestNumbers(folder);
  const newer = numbers.filter((number) => number >= k).reverse();
  for (const number of newer) unlinkSync(join(folder, manifestName(number)));
  return numbers.length - newer.length;
}
