import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Names of the packs in these folders, sorted: every folder with a `pack.yaml`. Reads the disk; a folder that can't be read holds none. */
export function knownPacks(packDirs: readonly string[]): string[] {
  const names = new Set<string>();
  for (const folder of packDirs) {
    for (const name of listed(folder)) if (existsSync(join(folder, name, 'pack.yaml'))) names.add(name);
  }
  return [...names].sort();
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
