import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { listPacks, loadPack, type Pack } from './pack.js';

/** Reads packs once and again only when their `pack.yaml` changes: every execution asks for its pack. Worker side. */
export function createPackReader(packDirs: readonly string[]): (name: string) => Promise<Pack> {
  const known = new Map<string, { changedMs: number; folder: string; pack: Promise<Pack> }>();
  return async (name) => {
    const cached = known.get(name);
    if (cached && (await changed(cached.folder)) === cached.changedMs) return cached.pack;
    const folder = (await listPacks(packDirs)).find((entry) => entry.name === name)?.folder;
    const entry = { changedMs: folder ? await changed(folder) : 0, folder: folder ?? '', pack: loadPack(name, [...packDirs]) };
    known.set(name, entry);
    entry.pack.catch(() => known.delete(name));
    return entry.pack;
  };
}

async function changed(folder: string): Promise<number> {
  return (await stat(join(folder, 'pack.yaml')).catch(() => null))?.mtimeMs ?? 0;
}
