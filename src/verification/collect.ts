import { read, type Dirent } from 'node:fs';
import { mkdir, open, readdir, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { openArtifact, type OpenArtifact } from '../sandbox/artifact.js';
import { Nl2codeError } from '../session/error-table.js';

const readChunk = promisify(read);

const MAX_ENTRIES = 500;
const CHUNK = 1 << 20;
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
 * Copies what a script wrote out of its workspace. Host side; follows no link and opens nothing but regular files. What the
 * copies hold is as hostile as before: nothing here decodes it.
 */
export async function collect(workspace: string, to: string, options: CollectOptions): Promise<Written> {
  const written: Written = { files: [], others: new Map(), problem: null };
  const paths = await list(workspace, options, written);
  const buffer = Buffer.allocUnsafe(CHUNK);
  let room = options.maxBytes;
  for (const path of written.problem ? [] : paths) {
    const copied = await copy(workspace, path, join(to, path), room, buffer);
    if (copied === 'too-large') {
      written.problem = `It wrote more than ${options.maxBytes} bytes.`;
      break;
    }
    if (typeof copied === 'string') written.others.set(path, copied);
    else {
      room -= copied.bytes;
      written.files.push({ path, bytes: copied.bytes });
    }
  }
  return written;
}

/** Paths of what look like regular files, sorted; everything else goes to `written`. */
async function list(workspace: string, { inputs, script }: CollectOptions, written: Written): Promise<string[]> {
  const paths: string[] = [];
  const folders: { path: string; depth: number }[] = [{ path: '', depth: 0 }];
  for (let n = 0; n < folders.length && !written.problem; n++) {
    const folder = folders[n]!;
    for (const entry of await entries(join(workspace, folder.path))) {
      const path = join(folder.path, entry.name);
      if (NOT_OUTPUT.has(entry.name) || path === script || (entry.isSymbolicLink() && inputs.includes(path))) continue;
      if (entry.isFile()) paths.push(path);
      else written.others.set(path, kindOf(entry));
      if (entry.isDirectory()) folders.push({ path, depth: folder.depth + 1 });
      if (paths.length + written.others.size > MAX_ENTRIES) written.problem = `It wrote more than ${MAX_ENTRIES} files.`;
      else if (entry.isDirectory() && folder.depth >= MAX_DEPTH) written.problem = `It made more than ${MAX_DEPTH} folders inside each other.`;
      if (written.problem) break;
    }
  }
  return paths.sort();
}

async function entries(folder: string): Promise<Dirent[]> {
  const found = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    // A folder without permissions, or one that was a folder a moment ago.
    if (['EACCES', 'ENOTDIR', 'ENOENT', 'ELOOP', 'ENAMETOOLONG'].includes(error.code ?? '')) return [];
    throw error;
  });
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function copy(workspace: string, path: string, to: string, room: number, buffer: Buffer): Promise<{ bytes: number } | string> {
  let from: OpenArtifact;
  try {
    from = openArtifact(workspace, path, Number.MAX_SAFE_INTEGER);
  } catch (error) {
    return error instanceof Nl2codeError ? 'a file with a second name, or reached by a link' : 'a file that can not be opened';
  }
  try {
    if (from.bytes > room) return 'too-large';
    await mkdir(dirname(to), { recursive: true, mode: 0o755 });
    const out = await open(to, 'wx', 0o644);
    try {
      await pour(from, out, buffer);
    } finally {
      await out.close();
    }
    return { bytes: from.bytes };
  } finally {
    from.close();
  }
}

/** Copies what was there when the file was opened, also when it grows meanwhile; never blocks the worker's heartbeats. */
async function pour(from: OpenArtifact, out: FileHandle, buffer: Buffer): Promise<void> {
  for (let at = 0; at < from.bytes; ) {
    const { bytesRead } = await readChunk(from.fd, buffer, 0, Math.min(buffer.length, from.bytes - at), at);
    if (bytesRead === 0) return;
    await out.writeFile(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
}

function kindOf(entry: Dirent): string {
  if (entry.isDirectory()) return 'a folder';
  if (entry.isSymbolicLink()) return 'a symbolic link';
  if (entry.isFIFO()) return 'a pipe';
  if (entry.isSocket()) return 'a socket';
  return 'a device';
}
