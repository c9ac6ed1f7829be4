import { randomBytes } from 'node:crypto';
import { constants, type Dirent } from 'node:fs';
import { lstat, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { namesOf, type CheckpointStore, type ListedObject, type StoredObject } from './checkpoint-store.js';
import { chunksOf, writeAll } from './chunks.js';
import type { Durability } from './file.js';

/** What a put that was killed leaves; it is no key, so it is never listed. */
const UNFINISHED = '.put-';
/** No put takes as long; clocks of two hosts may differ by some of it. */
const ABANDONED_MS = 24 * 3_600_000;

/**
 * A checkpoint store in a folder that other hosts have too, such as a mounted network file system. It needs no links, locks or events of it:
 * only that a rename is seen whole.
 */
export class FolderCheckpoints implements CheckpointStore {
  constructor(
    /** Absolute; it has to be there. */
    readonly place: string,
    private readonly durability: Durability,
  ) {}

  async put(key: string, { bytes, chunks }: StoredObject): Promise<void> {
    const names = namesOf(key);
    const path = join(this.place, ...names);
    await this.makeFolders(names.slice(0, -1));
    const temporary = join(dirname(path), `${UNFINISHED}${randomBytes(9).toString('hex')}`);
    try {
      const file = await open(temporary, 'wx', 0o600);
      try {
        const written = await writeAll(file, chunks, bytes);
        if (written !== bytes) throw new Error(`${key} has ${written} bytes instead of ${bytes}.`);
        if (this.durability === 'host') await file.datasync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      // On a full disk a half file would take the room that the next attempt needs.
      await rm(temporary, { force: true });
      throw error;
    }
    await this.sync(dirname(path));
  }

  async get(key: string): Promise<StoredObject | undefined> {
    const path = join(this.place, ...namesOf(key));
    const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (!found) return undefined;
    if (!found.isFile()) throw new Error(`${key} is no file.`);
    const bytes = found.size;
    return {
      bytes,
      chunks: (async function* () {
        yield* chunksOf(await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK), bytes, true);
      })(),
    };
  }

  async list(prefix: string): Promise<ListedObject[]> {
    const paths = await this.files(prefix, (name) => !name.startsWith(UNFINISHED));
    const found = await Promise.all(
      paths.map(async (path): Promise<ListedObject[]> => {
        // What was removed meanwhile is left out.
        const file = await stat(path).catch(() => undefined);
        return file ? [{ key: relative(this.place, path), bytes: file.size, putAt: file.mtimeMs }] : [];
      }),
    );
    return found.flat();
  }

  async remove(key: string): Promise<void> {
    await rm(join(this.place, ...namesOf(key)), { force: true });
  }

  async tidy(prefix: string): Promise<void> {
    for (const path of await this.files(prefix, (name) => name.startsWith(UNFINISHED))) {
      const found = await stat(path).catch(() => undefined);
      if (found && Date.now() - found.mtimeMs > ABANDONED_MS) await rm(path, { force: true });
    }
  }

  private async files(prefix: string, wanted: (name: string) => boolean): Promise<string[]> {
    let entries: Dirent[];
    try {
      entries = await readdir(join(this.place, ...namesOf(prefix)), { withFileTypes: true, recursive: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      await this.present();
      return [];
    }
    return entries.flatMap((entry) => (entry.isFile() && wanted(entry.name) ? [join(entry.parentPath, entry.name)] : []));
  }

  /** Throws where the place is missing: that is no empty one, but perhaps a file system that is not mounted. */
  private async present(): Promise<void> {
    const found = await stat(this.place).catch(() => undefined);
    if (!found?.isDirectory()) throw new Error(`There is no folder ${this.place}: mount or make it, or correct checkpoints.path.`);
  }

  /** Below the place, which is never made: where a file system is not mounted, its mount point is not to be filled. */
  private async makeFolders(names: string[]): Promise<void> {
    await this.present();
    let folder = this.place;
    for (const name of names) {
      const parent = folder;
      folder = join(folder, name);
      try {
        await mkdir(folder, { mode: 0o700 });
        await this.sync(parent);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  }

  private async sync(folder: string): Promise<void> {
    if (this.durability !== 'host') return;
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}
