import { join } from 'node:path';
import type { Isolation } from '../../session/request.js';
import { discardManifests } from '../manifests.js';
import { emptyFolder } from './empty-folder.js';
import { endSandbox } from './end-sandbox.js';
import { linkInputs } from './sandbox-folder.js';

/**
 * Ends the sandbox in `folder` and takes back what its cells from `k` on have committed. The workspace is emptied: what belongs to the cells
 * before `k` is restored with their state. Without such a cell nothing of the past is left but who the sandbox is, and its inputs.
 */
export async function rollBack(folder: string, k: number, isolation: Isolation): Promise<void> {
  await endSandbox(folder);
  if (discardManifests(join(folder, 'checkpoint', 'manifests'), k) === 0) await emptyFolder(join(folder, 'checkpoint'));
  for (const name of ['workspace', 'scratch']) await emptyFolder(join(folder, name));
  linkInputs(folder, isolation);
}
