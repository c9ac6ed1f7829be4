import {
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Nl2codeError } from '../../session/error-table.js';
import type { Isolation } from '../../session/request.js';
import type { SandboxSpec } from '../backend.js';

/** The host folder of a sandbox: `workspace`, `checkpoint` and `scratch` are written inside, `inputs` is seen, `run` is the host's alone. */
const FOLDERS = ['workspace', 'checkpoint', 'scratch', 'inputs', 'run'] as const;

/** Makes what is missing of the folder. */
export function layOut(folder: string): void {
  for (const name of FOLDERS) mkdirSync(join(folder, name), { recursive: true, mode: name === 'run' ? 0o700 : 0o755 });
}

/** Whether a warm sandbox's folder can take this name: nothing, or an empty folder, is there. */
export function isFree(folder: string): boolean {
  try {
    return readdirSync(folder).length === 0;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

/**
 * Shows the inputs that are not there yet: linked or copied read-only into `inputs/`, and linked by name in the workspace,
 * so that `open('sales.csv')` works. An input that is there stays what it was.
 */
export function showInputs(folder: string, inputs: SandboxSpec['inputs'], isolation: Isolation): void {
  for (const { name, path } of inputs) {
    if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) {
      throw new Nl2codeError('bad-input', `The input name ${JSON.stringify(name)} is not a file name.`);
    }
    const shown = join(folder, 'inputs', name);
    if (existsSync(shown)) continue;
    place(path, shown, isolation);
    linkInput(folder, name, isolation);
  }
}

/** Links every input that is shown by its name in the workspace, for one that was emptied. */
export function linkInputs(folder: string, isolation: Isolation): void {
  if (!existsSync(join(folder, 'inputs')) || !existsSync(join(folder, 'workspace'))) return;
  for (const name of readdirSync(join(folder, 'inputs'))) linkInput(folder, name, isolation);
}

function linkInput(folder: string, name: string, isolation: Isolation): void {
  const target = isolation === 'none' ? join(folder, 'inputs', name) : `/inputs/${name}`;
  try {
    symlinkSync(target, join(folder, 'workspace', name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** A hard link costs nothing, but shares the mode: only a file that anybody may read and nobody inside may change is linked. */
function place(from: string, to: string, isolation: Isolation): void {
  const linkable =
    isolation === 'bubblewrap' &&
    (process.getuid?.() !== 0 || (statSync(from).mode & 0o004) !== 0) &&
    lstatSync(from).isFile();
  if (linkable) {
    try {
      return linkSync(from, to);
    } catch {
      // another file system, or a rule against linking what others own
    }
  }
  copyFileSync(from, `${to}.part`, constants.COPYFILE_FICLONE);
  chmodSync(`${to}.part`, 0o444);
  renameSync(`${to}.part`, to);
}

/** What every sandbox of one folder has in common, however often it has to be started again. */
export interface FolderIdentity {
  /** Name the guest's ledger goes by. */
  session: string;
  /** A re-run of a cell sees the same set order. */
  hashSeed: number;
}

/** The identity of this folder's sandboxes, null before the first. */
export function keptIdentity(folder: string): FolderIdentity | null {
  try {
    const { session, hashSeed } = JSON.parse(
      readFileSync(join(folder, 'run', 'identity.json'), 'utf8'),
    ) as Partial<FolderIdentity>;
    const sound =
      typeof session === 'string' &&
      typeof hashSeed === 'number' &&
      Number.isInteger(hashSeed) &&
      hashSeed >= 0 &&
      hashSeed <= 0xffffffff;
    return sound ? { session, hashSeed } : null;
  } catch {
    return null;
  }
}

/** Keeps the identity for later starts. */
export function keepIdentity(folder: string, identity: FolderIdentity): void {
  writeAtomically(join(folder, 'run', 'identity.json'), JSON.stringify(identity));
}

/** Sets how long the sandbox lives without a stream; the supervisor reads it when the last stream is closed. */
export function keepLease(folder: string, leaseMs: number): void {
  writeAtomically(join(folder, 'run', 'lease'), String(Math.ceil(leaseMs)));
}

function writeAtomically(path: string, text: string): void {
  rmSync(`${path}.tmp`, { force: true });
  writeFileSync(`${path}.tmp`, text, { mode: 0o644, flag: 'wx' });
  renameSync(`${path}.tmp`, path);
}
