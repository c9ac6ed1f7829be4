import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { open, readdir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY } = constants;
const LINUX = process.platform === 'linux';

/** A folder that a sandbox writes to, opened so that no link leads out of it, whatever its name is given to meanwhile. Host side. */
export class OpenedFolder {
  private constructor(
    private readonly path: string,
    private readonly handle: FileHandle,
  ) {}

  /** Undefined for what is no folder, a link to one included. */
  static async at(path: string): Promise<OpenedFolder | undefined> {
    const handle = await opened(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    return handle && new OpenedFolder(LINUX ? `/proc/self/fd/${handle.fd}` : path, handle);
  }

  names(): Promise<string[]> {
    return readdir(this.path);
  }

  /** A path of what has the name in it now; what that leads to is for the caller to look at. */
  pathOf(name: string): string {
    return join(this.path, name);
  }

  /** Opens a regular file of it, and nothing else that has the name. */
  async file(name: string): Promise<FileHandle | undefined> {
    const file = await opened(this.pathOf(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (file && (await file.stat()).isFile()) return file;
    await file?.close();
    return undefined;
  }

  /** Reads a file that is small at once, without a turn of the event loop in which others could overtake; undefined where there is none so small. */
  readSmall(name: string, most: number): Buffer | undefined {
    let fd: number;
    try {
      fd = openSync(this.pathOf(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    } catch {
      return undefined;
    }
    try {
      const found = fstatSync(fd);
      return found.isFile() && found.size <= most ? readFileSync(fd) : undefined;
    } finally {
      closeSync(fd);
    }
  }

  /** The bytes of a regular file of it; undefined where there is none of at most so many. */
  async read(name: string, most: number): Promise<Buffer | undefined> {
    const file = await this.file(name);
    if (!file) return undefined;
    try {
      const { size } = await file.stat();
      if (size > most) return undefined;
      const bytes = Buffer.alloc(size);
      let read = 0;
      for (let n = 1; n > 0 && read < size; read += n) n = (await file.read(bytes, read, size - read, read)).bytesRead;
      return bytes.subarray(0, read);
    } finally {
      await file.close();
    }
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

async function opened(path: string, flags: number): Promise<FileHandle | undefined> {
  try {
    return await open(path, flags);
  } catch {
    return undefined;
  }
}
