import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Nl2codeError } from '../session/error-table.js';

/** Format of the data directory that this version reads and writes. */
export const DATA_FORMAT = 1;

/** What must be free before anything starts. */
const PROBE_BYTES = 256 * 1024;

/**
 * Makes the data directory (mode 0700) or checks an existing one: of a known format, writable, with space left. Host side;
 * throws `store-version`, `store-unwritable` or `store-full` before anything was started.
 */
export function prepareDataDir(dataDir: string): void {
  attempt(dataDir, () => makeFolder(resolve(dataDir)));
  if (!statSync(dataDir).isDirectory()) throw new Nl2codeError('store-unwritable', `The data directory ${dataDir} is not a folder.`);
  checkFormat(dataDir);
  attempt(dataDir, () => probe(dataDir));
  attempt(dataDir, () => writeFormat(dataDir));
}

/** Node's own recursive `mkdir` never returns where a file system says ENOENT though the parent exists, as /proc does. */
function makeFolder(path: string): void {
  const parent = dirname(path);
  if (parent !== path && !existsSync(parent)) makeFolder(parent);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // It is there, or another first process was quicker.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !statSync(path).isDirectory()) throw error;
  }
}

/** Refuses a data directory of a format this version does not know; a missing one is fine. Host side; throws `store-version`. */
export function checkFormat(dataDir: string): void {
  const found = readFormat(dataDir);
  if (found === null || found === String(DATA_FORMAT)) return;
  if (/^\d{1,9}$/.test(found) && Number(found) > DATA_FORMAT) {
    throw new Nl2codeError('store-version', `The data directory ${dataDir} was written by a newer nl2code (its format is ${found}, this one knows ${DATA_FORMAT}).`);
  }
  throw new Nl2codeError('store-version', `The data directory ${dataDir} has the unknown format ${JSON.stringify(found.slice(0, 40))}.`);
}

function readFormat(dataDir: string): string | null {
  try {
    return readFileSync(join(dataDir, 'version'), 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new Nl2codeError('store-unwritable', `The data directory ${dataDir} can't be read (${(error as NodeJS.ErrnoException).code}).`, { cause: error });
  }
}

/** By link(2), so that of two first hosts one names the format and both find it whole. */
function writeFormat(dataDir: string): void {
  const path = join(dataDir, 'version');
  if (readFormat(dataDir) !== null) return;
  const temporary = join(dataDir, `.version-${randomBytes(9).toString('hex')}`);
  writeFileSync(temporary, `${DATA_FORMAT}\n`, { mode: 0o600, flag: 'wx' });
  try {
    linkSync(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
}

function probe(dataDir: string): void {
  const path = join(dataDir, `.probe-${randomBytes(9).toString('hex')}`);
  const fd = openSync(path, 'wx', 0o600);
  try {
    const bytes = Buffer.alloc(PROBE_BYTES);
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    // Some file systems find out that they are full only here.
    fsyncSync(fd);
  } finally {
    closeSync(fd);
    rmSync(path, { force: true });
  }
}

function attempt<T>(dataDir: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof Nl2codeError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    if (code === 'ENOSPC' || code === 'EDQUOT') throw new Nl2codeError('store-full', `The data directory ${dataDir} has no space left.`, { cause: error });
    throw new Nl2codeError('store-unwritable', `The data directory ${dataDir} can't be written to (${code}).`, { cause: error });
  }
}
