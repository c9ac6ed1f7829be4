import { randomBytes } from 'node:crypto';
import { constants, type Dirent } from 'node:fs';
import { lstat, mkdir, open, readdir, rename, rm, stat, writeFile, type FileHandle } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { namesOf, type CheckpointStore, type ListedObject, type StoredObject } from './checkpoint-store.js';
import { chunksOf, writeAll, type ReadFile, type WrittenFile } from './chunks.js';
import { FewCalls } from './few-calls.js';
import type { Durability } from './file.js';

/** The file that says that a folder is for states. One without it may be a mount point where nothing is mounted. */
export const STATES_MARK = 'nl2code-states';
/** What a put that was killed leaves; it is no key, so it is never listed. */
const UNFINISHED = '.put-';
/** No put takes as long; clocks of two hosts may differ by some of it. */
const ABANDONED_MS = 24 * 3_600_000;

/** Half of the threads that this process has for file systems, unless it was given more. */
const MOST_CALLS = 2;
/** Longer than a megabyte takes on any disk that is of use. */
const OVERDUE_MS = 30_000;
const SHARED_CALLS = new FewCalls(MOST_CALLS, OVERDUE_MS);

/**
 * A checkpoint store in a folder that other hosts have too, such as a mounted network file system. It needs no links, locks or events of it:
 * only that a rename is seen whole. One that hangs is an error after a while, and costs this process two threads at most.
 */
export class FolderCheckpoints implements CheckpointStore {
  constructor(
    /** Absolute; it has to be there, with the mark. */
    readonly place: string,
    private readonly durability: Durability,
    private readonly calls = SHARED_CALLS,
  ) {}

  /** Marks the folder, which has to be there, as one for states. Once, by somebody who sees that the right one is mounted. */
  async init(): Promise<void> {
    await this.there();
    await this.call(() => writeFile(join(this.place, STATES_MARK), '', { flag: 'a', mode: 0o644 }));
    await this.sync(this.place);
  }

  async put(key: string, { bytes, chunks }: StoredObject): Promise<void> {
    const names = namesOf(key);
    const path = join(this.place, ...names);
    await this.makeFolders(names.slice(0, -1));
    const temporary = join(dirname(path), `${UNFINISHED}${randomBytes(9).toString('hex')}`);
    try {
      const file = await this.call(() => open(temporary, 'wx', 0o600), (late) => late.close());
      try {
        const written = await writeAll(this.inTurn(file), chunks, bytes);
        if (written !== bytes) throw new Error(`${key} has ${written} bytes instead of ${bytes}.`);
        if (this.durability === 'host') await this.call(() => file.datasync());
      } finally {
        await this.call(() => file.close());
      }
      await this.call(() => rename(temporary, path));
    } catch (error) {
      // On a full disk a half file would take the room that the next attempt needs.
      await this.call(() => rm(temporary, { force: true })).catch(() => undefined);
      throw error;
    }
    await this.sync(dirname(path));
  }

  async get(key: string): Promise<StoredObject | undefined> {
    const path = join(this.place, ...namesOf(key));
    const found = await this.call(() => lstat(path)).catch(noneWhereMissing);
    if (!found) return undefined;
    if (!found.isFile()) throw new Error(`${key} is no file.`);
    const bytes = found.size;
    const opened = () => this.call(() => open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK), (late) => late.close());
    const inTurn = (file: FileHandle) => this.inTurn(file);
    return {
      bytes,
      chunks: (async function* () {
        yield* chunksOf(inTurn(await opened()), bytes, true);
      })(),
    };
  }

  async list(prefix: string): Promise<ListedObject[]> {
    const paths = await this.files(prefix, (name) => !name.startsWith(UNFINISHED));
    const found = await Promise.all(
      paths.map(async (path): Promise<ListedObject[]> => {
        // What was removed meanwhile is left out.
        const file = await this.call(() => stat(path)).catch(noneWhereMissing);
        return file ? [{ key: relative(this.place, path), bytes: file.size, putAt: file.mtimeMs }] : [];
      }),
    );
    return found.flat();
  }

  async remove(key: string): Promise<void> {
    const path = join(this.place, ...namesOf(key));
    await this.call(() => rm(path, { force: true }));
  }

  async tidy(prefix: string): Promise<void> {
    for (const path of await this.files(prefix, (name) => name.startsWith(UNFINISHED))) {
      const found = await this.call(() => stat(path)).catch(noneWhereMissing);
      if (found && Date.now() - found.mtimeMs > ABANDONED_MS) await this.call(() => rm(path, { force: true }));
    }
  }

  private call<T>(call: () => Promise<T>, late?: (value: T) => Promise<unknown>): Promise<T> {
    return this.calls.run(this.place, call, (value) => void late?.(value).catch(() => undefined));
  }

  private inTurn(file: FileHandle): ReadFile & WrittenFile {
    return {
      read: (...what) => this.call(() => file.read(...what)),
      write: (...what) => this.call(() => file.write(...what)),
      close: () => this.call(() => file.close()),
    };
  }

  private async files(prefix: string, wanted: (name: string) => boolean): Promise<string[]> {
    const top = join(this.place, ...namesOf(prefix));
    await this.present();
    const found: string[] = [];
    for (const folders = [top]; folders.length > 0; ) {
      const folder = folders.pop()!;
      const entries = await this.call(() => readdir(folder, { withFileTypes: true })).catch(noneWhereMissing);
      for (const entry of entries ?? ([] as Dirent[])) {
        const path = join(folder, entry.name);
        if (entry.isDirectory()) folders.push(path);
        else if (entry.isFile() && wanted(entry.name)) found.push(path);
      }
    }
    return found;
  }

  /** Throws where the place is missing or not marked: that is no empty one, but perhaps a file system that is not mounted. */
  private async present(): Promise<void> {
    if (await this.call(() => lstat(join(this.place, STATES_MARK))).catch(noneWhereMissing)) return;
    await this.there();
    throw new Error(`${this.place} has no file ${STATES_MARK}, so it may be a mount point where nothing is mounted: mount it, or, where it is the folder for states, run nl2code doctor --init-checkpoints once.`);
  }

  private async there(): Promise<void> {
    const found = await this.call(() => stat(this.place)).catch(noneWhereMissing);
    if (!found?.isDirectory()) throw new Error(`There is no folder ${this.place}: mount or make it, or correct checkpoints.path.`);
  }

  /** Below the place, which is never made: where a file system is not mounted, its mount point is not to be filled. */
  private async makeFolders(names: string[]): Promise<void> {
    await this.present();
    let folder = this.place;
    for (const name of names) {
      const parent = folder;
      folder = join(folder, name);
      const path = folder;
      try {
        await this.call(() => mkdir(path, { mode: 0o700 }));
        await this.sync(parent);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  }

  private async sync(folder: string): Promise<void> {
    if (this.durability !== 'host') return;
    const handle = await this.call(() => open(folder, 'r'), (late) => late.close());
    try {
      await this.call(() => handle.sync());
    } finally {
      await this.call(() => handle.close());
    }
  }
}

/** What is not there is none; every other error is one. */
function noneWhereMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
  throw error;
}
