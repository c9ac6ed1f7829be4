import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Removes a tree that hostile code wrote: folders without permissions, paths longer than the system's limit. The system's own
 * tools walk by descriptor, so no path is too long; neither follows a link. Host side; harmless when there is none.
 */
export async function removeTree(folder: string): Promise<void> {
  try {
    await run('rm', ['-rf', '--', folder]);
  } catch {
    await run('chmod', ['-R', 'u+rwX', '--', folder]).catch(() => undefined);
    await run('rm', ['-rf', '--', folder]);
  }
}

/** The same, where what came before counts and somebody sweeps later: never throws. */
export async function discardTree(folder: string): Promise<void> {
  await removeTree(folder).catch(() => undefined);
}
