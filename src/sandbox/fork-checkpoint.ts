/**
 * Gives a new sandbox folder the committed past of another, up to a cell. Host side; the other may be alive and run code meanwhile.
 * Invariants:
 * (1) the fork is there whole or not at all;
 * (2) what it shares with its parent neither sandbox can write to: as root both see read-only files of root, else each has its own copy. What code
 *     had open for writing before, the supervisor replaces when the fork starts (`shared_segments.py`);
 * (3) nothing is read through a link that a cell left, and nothing that a manifest or segment holds is run or believed here.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, fchmodSync, fchownSync, fstatSync, linkSync, lstatSync, mkdirSync, openSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { copyFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Nl2codeError } from '../session/error-table.js';
import { discardTree } from '../store/hostile-tree.js';
import { MAX_MANIFEST_BYTES, manifestName, manifestNumber } from './manifests.js';
import { OpenedFolder } from './opened-folder.js';
import { isFree, keepIdentity, keptIdentity } from './process/sandbox-folder.js';
import { namedSegments, segmentFile } from './segments.js';
import { addVerified, verifiedLine, verifiedSegments } from './verified-segments.js';

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY, COPYFILE_FICLONE } = constants;
const LINUX = process.platform === 'linux';

/** What a fork holds. */
export interface ForkedCheckpoint {
  /** Its last committed cell; -1 when there is none up to the one that was asked for. */
  head: number;
}

/**
 * Makes `to` (new, or an empty folder) a sandbox folder whose kernel goes on after the last cell up to `k` that `from` has committed: with its
 * variables, files and hash seed, on its own from there. What a cell between that one and `k` did is caught up on when the session asks for
 * more. Random numbers that nobody seeded begin anew after `k`: `fork.json` says so to the guest. Throws `not-found` and `bad-request`.
 */
export async function forkCheckpoint(from: string, k: number, to: string): Promise<ForkedCheckpoint> {
  const identity = keptIdentity(from);
  if (!identity) throw new Nl2codeError('not-found', `There is no sandbox to fork in ${from}.`, { remedy: '' });
  if (!isFree(to)) throw new Nl2codeError('bad-request', `The folder ${to} of a fork holds something already.`, { remedy: '' });
  const making = `${to}.fork-${randomBytes(4).toString('hex')}`;
  mkdirSync(dirname(to), { recursive: true });
  try {
    for (const name of ['run', 'checkpoint', 'checkpoint/manifests', 'checkpoint/segments']) mkdirSync(join(making, name), { recursive: true, mode: name === 'run' ? 0o700 : 0o755 });
    const checkpoint = join(making, 'checkpoint');
    const segments = new Set<string>();
    const head = await forkManifests(join(from, 'checkpoint', 'manifests'), k, join(checkpoint, 'manifests'), segments);
    await within(join(from, 'checkpoint', 'segments'), async (open, path) => {
      const verified = verifiedSegments(path('verified'));
      const [here, there]: [string[], string[]] = [[], []];
      for (const name of segments)
        await open(segmentFile(name), async (file) => {
          const to = join(checkpoint, 'segments', segmentFile(name));
          const before = fstatSync(file.fd, { bigint: true });
          const known = verified.has(verifiedLine(name, before));
          await share(file, to);
          const after = fstatSync(file.fd, { bigint: true });
          if (!known || after.mtimeNs !== before.mtimeNs || after.size !== before.size) return;
          here.push(verifiedLine(name, after));
          there.push(verifiedLine(name, lstatSync(to, { bigint: true })));
        });
      addVerified(path('verified'), here.filter((line) => !verified.has(line)));
      addVerified(join(checkpoint, 'segments', 'verified'), there);
    });
    writeFileSync(join(checkpoint, 'fork.json'), JSON.stringify({ k, entropy: randomBytes(32).toString('hex') }), { mode: 0o644 });
    keepIdentity(making, identity);
    renameSync(making, to);
    return { head };
  } catch (error) {
    await discardTree(making);
    throw error;
  }
}

/** Copies the manifests up to a cell, adds what they name, and returns the last one. One that no kernel has written is passed over. */
async function forkManifests(from: string, k: number, to: string, segments: Set<string>): Promise<number> {
  const folder = await OpenedFolder.at(from);
  let head = -1;
  try {
    const numbers = ((await folder?.names()) ?? []).flatMap((name) => manifestNumber(name) ?? []).sort((a, b) => a - b);
    for (const n of numbers.filter((number) => number <= k)) {
      const bytes = await folder!.read(manifestName(n), MAX_MANIFEST_BYTES);
      if (!bytes || !(await namedSegments(bytes, segments))) continue;
      await writeFile(join(to, manifestName(n)), bytes, { mode: 0o600 });
      head = n;
    }
  } finally {
    await folder?.close();
  }
  return head;
}

/** Both sandboxes see the same bytes, which neither can change; where that can't be had, the new one gets a copy. */
async function share({ fd, path, itself }: OpenFile, to: string): Promise<void> {
  if (LINUX && process.getuid?.() === 0 && isLinked(fd, path, to)) {
    fchownSync(fd, 0, 0);
    fchmodSync(fd, 0o444);
    return;
  }
  await copyFile(itself, to, COPYFILE_FICLONE);
}

/** Links what is open, or nothing: its name may have been given to something else since. */
function isLinked(fd: number, path: string, to: string): boolean {
  try {
    linkSync(path, to);
  } catch {
    // Another file system, or more links than it allows.
    return false;
  }
  const [opened, linked] = [fstatSync(fd), lstatSync(to)];
  if (opened.ino === linked.ino && opened.dev === linked.dev) return true;
  unlinkSync(to);
  return false;
}

interface OpenFile {
  fd: number;
  /** By its name in the folder that was opened. */
  path: string;
  /** The opened file, whatever its name is given to; by its name where descriptors have no path. */
  itself: string;
}

type Open = (name: string, use: (file: OpenFile) => void | Promise<void>) => Promise<void>;

/** Opens regular files of a folder that a sandbox writes to, following no link; what is none is passed over, as a folder that is none is. */
async function within(folder: string, use: (open: Open, path: (name: string) => string) => Promise<void>): Promise<void> {
  const top = opened(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (top === undefined) return;
  const at = (name: string) => (LINUX ? `/proc/self/fd/${top}/${name}` : join(folder, name));
  try {
    await use(async (name, take) => {
      const path = at(name);
      const fd = opened(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      if (fd === undefined) return;
      try {
        if (fstatSync(fd).isFile()) await take({ fd, path, itself: LINUX ? `/proc/self/fd/${fd}` : path });
      } finally {
        closeSync(fd);
      }
    }, at);
  } finally {
    closeSync(top);
  }
}

function opened(path: string, flags: number): number | undefined {
  try {
    return openSync(path, flags);
  } catch {
    return undefined;
  }
}
