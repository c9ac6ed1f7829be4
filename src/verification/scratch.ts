import { randomBytes } from 'node:crypto';
import { chmod, copyFile, constants, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { removeTree } from '../store/hostile-tree.js';
import type { VerifyJob } from './verify-job.js';

/**
 * The host folder of one verification: `a` to `d` belong to the sandboxes; `first`, `second`, `before` and `truth` are the
 * host's own copies, shown read-only in `c`.
 */
export class Scratch {
  /** Part of the sandbox ids: two verifications never share a sandbox. */
  readonly tag = randomBytes(10).toString('hex');

  private constructor(readonly folder: string) {}

  /** Makes the folder; what an attempt that died left in it is removed. */
  static async open({ folder, truth, before }: Pick<VerifyJob, 'folder' | 'truth' | 'before'>): Promise<Scratch> {
    await removeTree(folder);
    const scratch = new Scratch(folder);
    for (const name of ['first', 'second', 'truth'] as const) await mkdir(scratch.at(name), { recursive: true, mode: 0o755 });
    for (const { name, path } of truth) {
      const to = join(scratch.at('truth'), name);
      await copyFile(path, to, constants.COPYFILE_FICLONE);
      await chmod(to, 0o444);
    }
    for (const path of before?.outputs ?? []) {
      // These paths were found in a workspace, so none leads out of it.
      const to = join(scratch.at('before'), path);
      await mkdir(dirname(to), { recursive: true, mode: 0o755 });
      before!.copyTo(path, to);
      await chmod(to, 0o444);
    }
    return scratch;
  }

  at(name: 'a' | 'b' | 'c' | 'd' | 'first' | 'second' | 'before' | 'truth'): string {
    return join(this.folder, name);
  }

  /** Removes a sandbox's folder, so that another can take its place. */
  clear(name: 'a' | 'b'): Promise<void> {
    return removeTree(this.at(name));
  }

  /** Removes everything, whatever a script left there. Call it when no sandbox is alive. */
  remove(): Promise<void> {
    return removeTree(this.folder);
  }
}

/** Removes what verifications of dead workers left below a session's folder; their sandboxes end when their folders are gone. */
export function sweepVerifications(parent: string): Promise<void> {
  return removeTree(parent);
}
