import { randomBytes } from 'node:crypto';
import { accessSync, chmodSync, constants, copyFileSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, isAbsolute, join, normalize } from 'node:path';
import { Nl2codeError } from '../session/error-table.js';
import type { Result } from '../session/result.js';
import type { SessionFolder } from '../store/session-store.js';
import { traceLines } from '../store/trace.js';

/** Writes script, outputs and trace of a result into a folder of the user's; returns the paths. Names come from a sandbox: none leaves the folder. */
export function saveResult(result: Result, folder: SessionFolder, to: string): string[] {
  const written: string[] = [];
  const put = (name: string, write: (temporary: string) => void) => {
    const path = join(to, name);
    const temporary = join(to, `.nl2code-${randomBytes(6).toString('hex')}`);
    try {
      mkdirSync(dirname(path), { recursive: true });
      try {
        write(temporary);
        chmodSync(temporary, 0o644);
        renameSync(temporary, path);
      } finally {
        rmSync(temporary, { force: true });
      }
    } catch (error) {
      throw unwritable(path, error, `; the session ${result.session} keeps its files`);
    }
    written.push(path);
  };
  for (const { path, sha256 } of result.artifacts) {
    const name = normalize(path);
    if (isAbsolute(name) || name === '.' || name.split('/')[0] === '..' || name.includes('\0')) continue;
    put(name, (temporary) => copyFileSync(folder.blobs.path(sha256), temporary));
  }
  if (result.script !== null && !result.artifacts.some(({ role }) => role === 'script')) put('script.py', (temporary) => writeFileSync(temporary, result.script!));
  put('trace.jsonl', (temporary) => writeFileSync(temporary, traceLines(folder).join('')));
  return written;
}

/** Refuses a folder that `saveResult` could not write to, before anything is spent on a result. Changes nothing. */
export function checkSavePlace(to: string): void {
  for (let folder = to; ; folder = dirname(folder)) {
    try {
      if (statSync(folder).isDirectory()) return accessSync(folder, constants.W_OK | constants.X_OK);
      throw Object.assign(new Error(`${folder} is no folder`), { code: 'ENOTDIR' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw unwritable(to, error, '');
    }
  }
}

function unwritable(path: string, error: unknown, more: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  return code === undefined ? error : new Nl2codeError('bad-request', `${JSON.stringify(path)} can't be written (${code}): name another folder with --out${more}.`, { cause: error, remedy: '' });
}
