import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { removeTree } from '../store/hostile-tree.js';
import { endSandbox } from './process/end-sandbox.js';
import { readRunState, supervisorAlive } from './process/run-state.js';

export interface Reaped {
  /** Folders whose sandbox had ended without being cleaned up after. */
  stale: string[];
  /** Folders whose sandbox was ended because nobody owns it. */
  ended: string[];
}

/**
 * Cleans up what dead workers left: `folders` are all sandbox folders of this data directory, `owned` says which of them still
 * belong to somebody. Sandboxes nobody owns are ended, leftovers of ended ones (sockets, control groups) removed. A sandbox
 * whose folder was deleted ends by itself. Runs at the start of a worker; never throws for a single folder.
 */
export async function reapSandboxes(folders: Iterable<string>, owned: (folder: string) => boolean): Promise<Reaped> {
  const reaped: Reaped = { stale: [], ended: [] };
  for (const folder of folders) {
    const state = readRunState(folder);
    if (!state) continue;
    const alive = supervisorAlive(state);
    if (alive && owned(folder)) continue;
    if (!alive && state.endedBecause !== null && !hasLeftovers(folder)) continue;
    try {
      await endSandbox(folder);
      (alive ? reaped.ended : reaped.stale).push(folder);
    } catch {
      continue;
    }
  }
  return reaped;
}

/** Ends the sandbox of a folder and removes the folder with all it holds. */
export async function removeSandboxFolder(folder: string): Promise<void> {
  await endSandbox(folder);
  await removeTree(folder);
}

function hasLeftovers(folder: string): boolean {
  try {
    return readdirSync(join(folder, 'run')).includes('s.sock');
  } catch {
    return false;
  }
}
