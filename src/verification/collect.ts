import { constants, type Dirent } from 'node:fs';
import { mkdir, open, readdir, readlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const MAX_FILES = 500;
const MAX_FOLDERS = 500;
const MAX_DEPTH = 16;
const NOT_OUTPUT = new Set(['__pycache__', '.cache', '.config', '.mpl']);

/** What a script left in its workspace, copied to a folder of the host. */
export interface Written {
  /** Regular files, copied. */
  files: { path: string; bytes: number }[];
  /** What stands under a name but is no regular file: `link`, `folder`, `pipe`… by path. */
  others: Map<string, string>;
  /** Why not everything could be copied, as a sentence; null when all was. */
  problem: string | null;
}

export interface CollectOptions {
  /** Names in the workspace's top folder that the script did not write, as long as they are links (inputs), and its own file. */
  inputs: readonly string[];
  script: string;
  maxBytes: number;
}

/**
 * Copies what a script wrote out of its workspace. Host side; follows no link and opens nothing but regular files, checked on the
 * opened descriptor. What the copies hold is as hostile as before: nothing here decodes it.
 */
export async function collect(workspace: string, to: string, { inputs, script, maxBytes }: CollectOptions): Promise<Written> {
  const written: Written = { files: [], others: new Map(), problem: null };
  const root = await open(workspace, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    const rootPath = await realPath(root, workspace);
    const folders: { path: string; depth: number }[] = [{ path: '', depth: 0 }];
    let bytes = 0;
    for (let n = 0; n < folders.length; n++) {
      const folder = folders[n]!;
      for (const entry of await entries(join(workspace, folder.path))) {
        const path = join(folder.path, entry.name);
        if (NOT_OUTPUT.has(entry.name) || path === script || (entry.isSymbolicLink() && inputs.includes(path))) continue;
        if (entry.isDirectory()) {
          written.others.set(path, 'a folder');
          if (folders.length >= MAX_FOLDERS || folder.depth >= MAX_DEPTH) return { ...written, problem: `It made more than ${MAX_FOLDERS} folders, or more than ${MAX_DEPTH} inside each other.` };
          folders.push({ path, depth: folder.depth + 1 });
        } else if (!entry.isFile()) {
          if (written.others.size < MAX_FILES) written.others.set(path, kindOf(entry));
        } else {
          if (written.files.length >= MAX_FILES) return { ...written, problem: `It wrote more than ${MAX_FILES} files.` };
          const copied = await copy(rootPath, workspace, path, join(to, path), maxBytes - bytes);
          if (copied === 'too-large') return { ...written, problem: `It wrote more than ${maxBytes} bytes.` };
          if (typeof copied === 'string') written.others.set(path, copied);
          else {
            bytes += copied.bytes;
            written.files.push({ path, bytes: copied.bytes });
          }
        }
      }
    }
  } finally {
    await root.close();
  }
  written.files.sort((a, b) => (a.path < b.path ? -1 : 1));
  return written;
}

async function entries(folder: string): Promise<Dirent[]> {
  const found = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    // A folder without permissions, or one that was a folder a moment ago.
    if (['EACCES', 'ENOTDIR', 'ENOENT', 'ELOOP', 'ENAMETOOLONG'].includes(error.code ?? '')) return [];
    throw error;
  });
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function copy(root: string, workspace: string, path: string, to: string, room: number): Promise<{ bytes: number } | string> {
  let from: FileHandle;
  try {
    from = await open(join(workspace, path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return 'a file that can not be opened';
  }
  try {
    const facts = await from.stat();
    if (!facts.isFile()) return 'no regular file';
    if (facts.nlink !== 1) return 'a file with a second name';
    // A folder on the way may have become a link: what counts is where the opened file really is.
    if ((await realPath(from, join(root, path))) !== join(root, path)) return 'a file outside the workspace';
    if (facts.size > room) return 'too-large';
    await mkdir(dirname(to), { recursive: true, mode: 0o755 });
    const out = await open(to, 'wx', 0o644);
    try {
      if (facts.size > 0) await pipeline(from.createReadStream({ autoClose: false, start: 0, end: facts.size - 1, highWaterMark: 1 << 20 }), writable(out));
    } finally {
      await out.close();
    }
    return { bytes: facts.size };
  } finally {
    await from.close();
  }
}

function writable(file: FileHandle): Writable {
  return new Writable({ write: (chunk: Buffer, _encoding, done) => void file.writeFile(chunk).then(() => done(), done) });
}

/** Where an opened descriptor lies; systems without /proc are trusted with the path (isolation `none` only). */
function realPath(handle: FileHandle, otherwise: string): Promise<string> {
  return process.platform === 'linux' ? readlink(`/proc/self/fd/${handle.fd}`) : Promise.resolve(otherwise);
}

function kindOf(entry: Dirent): string {
  if (entry.isSymbolicLink()) return 'a symbolic link';
  if (entry.isFIFO()) return 'a pipe';
  if (entry.isSocket()) return 'a socket';
  return 'a device';
}
