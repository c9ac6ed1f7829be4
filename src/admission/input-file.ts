import { constants, type BigIntStats } from 'node:fs';
import { lstat, open, readlink, realpath, stat, type FileHandle } from 'node:fs/promises';
import { basename, isAbsolute, relative, resolve, sep } from 'node:path';
import { Nl2codeError } from '../session/error-table.js';
import { refusal, shown } from './refusal.js';

/** Which files a request may bring. */
export interface InputPolicy {
  /** Absolute folders; an input must really lie in one of them. */
  roots: string[];
  maxBytes: number;
  /** Absolute folder that relative paths start from. */
  cwd: string;
}

/** An input that was opened and found to be a regular file inside the roots. The descriptor is what was checked: a later rename or link can't change it. */
export interface OpenInput {
  handle: FileHandle;
  name: string;
  stat: BigIntStats;
}

const SYSTEM = ['/dev', '/proc', '/sys'];

/** Opens an input under the policy. Refuses with `bad-input`. The caller closes the handle. */
export async function openInput(given: string, policy: InputPolicy): Promise<OpenInput> {
  const no = (why: string, cause?: unknown) => refusal(`The input ${shown(given)} ${why}`, 'bad-input', cause);
  if (!given || given.includes('\0')) throw no('is no path: name a file.');
  const path = resolve(policy.cwd, given);
  let real: string;
  try {
    const kind = kindOf(await stat(path));
    if (kind) throw no(`is ${kind}: name a regular file.`);
    real = await realpath(path);
  } catch (error) {
    throw unreadable(error, no);
  }
  const roots = await realRoots(policy.roots);
  if (!inside(real, roots) || inside(real, SYSTEM)) throw outside(real, path, no);
  let handle: FileHandle;
  try {
    handle = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    throw unreadable(error, no);
  }
  try {
    const opened = await openedPath(handle, real);
    if (opened === null || !inside(opened, roots)) throw outside(opened ?? real, path, no);
    const found = await handle.stat({ bigint: true });
    if (!found.isFile()) throw no('is no regular file: name one.');
    if (found.size === 0n) throw no('is empty (0 bytes): give a file with data.');
    if (found.size > BigInt(policy.maxBytes)) {
      throw no(`has ${found.size.toLocaleString('en-US')} bytes, more than the limit of ${policy.maxBytes.toLocaleString('en-US')}: give a smaller file, or raise admission.maxInputBytes in nl2code.config.yaml.`);
    }
    return { handle, name: basename(path), stat: found };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function kindOf(found: { isFile(): boolean; isDirectory(): boolean; isFIFO(): boolean; isSocket(): boolean }): string | null {
  if (found.isFile()) return null;
  return found.isDirectory() ? 'a folder' : found.isFIFO() ? 'a pipe' : found.isSocket() ? 'a socket' : 'a device';
}

/** Where the descriptor really points, or null when that can't be told. */
async function openedPath(handle: FileHandle, real: string): Promise<string | null> {
  if (process.platform === 'linux') return readlink(`/proc/self/fd/${handle.fd}`);
  const [there, here] = [await lstat(await realpath(real)), await handle.stat()];
  return there.dev === here.dev && there.ino === here.ino ? real : null;
}

async function realRoots(roots: string[]): Promise<string[]> {
  return Promise.all(roots.map((root) => realpath(root).catch(() => root)));
}

function inside(path: string, roots: string[]): boolean {
  return roots.some((root) => {
    const way = relative(root, path);
    return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
  });
}

function outside(real: string, path: string, no: (why: string) => Error): Error {
  const by = real === path ? '' : ` (it leads to ${shown(real)})`;
  return no(`lies outside the allowed folders${by}: copy it into the working directory, or allow its folder with --allow.`);
}

function unreadable(error: unknown, no: (why: string, cause?: unknown) => Error): unknown {
  if (error instanceof Nl2codeError) return error;
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return no('does not exist: correct the path.', error);
    case 'EACCES':
    case 'EPERM':
      return no("can't be read: correct its permissions.", error);
    case 'ELOOP':
      return no('is a link that leads nowhere: name the file itself.', error);
    default:
      return no(`can't be opened (${(error as NodeJS.ErrnoException).code}): name another file.`, error);
  }
}
