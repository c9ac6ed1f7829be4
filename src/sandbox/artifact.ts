import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  opendirSync,
  readSync,
  readlinkSync,
  realpathSync,
  type Stats,
} from 'node:fs';
import { join, sep } from 'node:path';
import { Nl2codeError } from '../session/error-table.js';

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY } = constants;
const LINUX = process.platform === 'linux';

/** A regular file of a folder that a sandbox writes to, opened so that nothing can be put in its place any more. Close it. */
export interface OpenArtifact {
  fd: number;
  bytes: number;
  close(): void;
}

/** A file found in a workspace. */
export interface WorkspaceFile {
  /** Relative to the workspace, with `/`. */
  path: string;
  bytes: number;
  mtimeMs: number;
}

export interface WorkspaceListing {
  files: WorkspaceFile[];
  /** True when a cap was reached and files are missing. */
  truncated: boolean;
}

export interface ListingCaps {
  maxFiles: number;
  maxEntries: number;
  maxDepth: number;
  /** Larger files are left out. */
  maxBytes: number;
}

const CAPS: ListingCaps = { maxFiles: 1_000, maxEntries: 20_000, maxDepth: 12, maxBytes: 2 ** 40 };

/**
 * Opens `path` (relative, `/`) below `root` for reading. Every component is opened from the one before without following a
 * link, and what counts is checked on the opened descriptor, so a rename in between leads nowhere: a regular file with one
 * name, at most `maxBytes`. Throws `bad-input` with the reason.
 */
export function openArtifact(root: string, path: string, maxBytes: number): OpenArtifact {
  const parts = path.split('/');
  if (path === '' || parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0')))
    throw refused(path, 'is not a path inside the workspace');
  const fd = LINUX ? openBelow(root, parts, path) : openChecked(root, parts, path);
  try {
    const found = fstatSync(fd);
    if (!found.isFile()) throw refused(path, 'is not a regular file');
    if (found.nlink !== 1) throw refused(path, 'has more than one name (a hard link)');
    if (found.size > maxBytes) throw refused(path, `has ${found.size} bytes, more than ${maxBytes}`);
    return { fd, bytes: found.size, close: () => closeSync(fd) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Reads a whole file of a folder that a sandbox writes to; see `openArtifact`. */
export function readArtifact(root: string, path: string, maxBytes: number): Buffer {
  const { fd, bytes, close } = openArtifact(root, path, maxBytes);
  try {
    const content = Buffer.alloc(bytes);
    let at = 0;
    for (let read = -1; read !== 0 && at < bytes; at += read) read = readSync(fd, content, at, bytes - at, at);
    return content.subarray(0, at);
  } finally {
    close();
  }
}

/**
 * The regular files of a workspace in name order, without links, hidden entries and `__pycache__`. Bounded in count, entries
 * looked at and depth, however the tree is made; never leaves the folder.
 */
export function listWorkspace(root: string, caps: Partial<ListingCaps> = {}): WorkspaceListing {
  const bounds = { ...CAPS, ...caps };
  const listing: WorkspaceListing = { files: [], truncated: false };
  let entries = 0;
  const walk = (fd: number, at: string, prefix: string, depth: number): void => {
    for (const name of names(LINUX ? `/proc/self/fd/${fd}` : at)) {
      if (++entries > bounds.maxEntries || listing.files.length >= bounds.maxFiles)
        return void (listing.truncated = true);
      if (name.startsWith('.') || name === '__pycache__') continue;
      const place = LINUX ? `/proc/self/fd/${fd}/${name}` : join(at, name);
      const found = statOf(place);
      if (found?.isFile()) {
        if (found.nlink === 1 && found.size <= bounds.maxBytes)
          listing.files.push({ path: prefix + name, bytes: found.size, mtimeMs: found.mtimeMs });
      } else if (found?.isDirectory()) {
        if (depth >= bounds.maxDepth) listing.truncated = true;
        else enter(place, (child) => walk(child, join(at, name), `${prefix}${name}/`, depth + 1));
      }
    }
  };
  enter(root, (fd) => walk(fd, root, '', 0));
  listing.files.sort((a, b) => (a.path < b.path ? -1 : 1));
  return listing;

  function names(folder: string): string[] {
    const found: string[] = [];
    const dir = opendirSync(folder);
    try {
      for (let entry = dir.readSync(); entry && found.length <= bounds.maxEntries; entry = dir.readSync())
        found.push(entry.name);
    } finally {
      dir.closeSync();
    }
    return found.sort();
  }
}

function openBelow(root: string, parts: string[], path: string): number {
  let folder = open(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, path);
  try {
    const top = readlinkSync(`/proc/self/fd/${folder}`);
    for (const part of parts.slice(0, -1)) {
      const next = open(`/proc/self/fd/${folder}/${part}`, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, path);
      closeSync(folder);
      folder = next;
    }
    // O_NONBLOCK: a pipe must not hold the worker up.
    const fd = open(`/proc/self/fd/${folder}/${parts.at(-1)}`, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, path);
    if (readlinkSync(`/proc/self/fd/${fd}`).startsWith(`${top}/`)) return fd;
    closeSync(fd);
    throw refused(path, 'leads out of the workspace');
  } finally {
    closeSync(folder);
  }
}

/** Where descriptors have no path (no Linux, so isolation none): checked before and after, which a racing cell could beat. */
function openChecked(root: string, parts: string[], path: string): number {
  const place = join(root, ...parts);
  const fd = open(place, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, path);
  const opened = fstatSync(fd);
  const inside = realpathSync(place).startsWith(realpathSync(root) + sep);
  const same = statOf(place);
  if (inside && same && same.ino === opened.ino && same.dev === opened.dev) return fd;
  closeSync(fd);
  throw refused(path, 'leads out of the workspace');
}

const REASONS: Partial<Record<string, string>> = {
  ENOENT: 'does not exist',
  ELOOP: 'is a symbolic link',
  ENOTDIR: 'goes through something that is not a folder, or through a symbolic link',
  EACCES: 'is not readable',
  ENXIO: 'is not a regular file',
};

function open(place: string, flags: number, path: string): number {
  try {
    return openSync(place, flags);
  } catch (error) {
    throw refused(path, REASONS[(error as NodeJS.ErrnoException).code ?? ''] ?? 'can not be opened', error);
  }
}

function enter(place: string, use: (fd: number) => void): void {
  let fd: number;
  try {
    fd = openSync(place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch {
    return; // gone, or a link by now
  }
  try {
    use(fd);
  } finally {
    closeSync(fd);
  }
}

function statOf(place: string): Stats | null {
  try {
    return lstatSync(place);
  } catch {
    return null;
  }
}

function refused(path: string, why: string, cause?: unknown): Nl2codeError {
  return new Nl2codeError('bad-input', `The file ${JSON.stringify(path)} ${why}.`, { cause, remedy: '' });
}
