import type { ResolvedConfig } from '../config.js';
import { FolderCheckpoints } from './folder-checkpoints.js';

/** Where a configuration keeps saved states beside this machine's disk; null where it does not. Opens nothing yet. */
export function openCheckpointStore({ checkpoints, durability }: Pick<ResolvedConfig, 'checkpoints' | 'durability'>): FolderCheckpoints | null {
  return checkpoints && new FolderCheckpoints(checkpoints.path, durability);
}
