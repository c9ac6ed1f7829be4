/**
 * The segments of a fork: what it has of its parent's, which may be alive and run code meanwhile. Host side.
 * Invariants:
 * (1) what both share neither sandbox can write to: as root both see read-only files of root, else each has its own copy. What code had open for
 *     writing before, the supervisor replaces when the fork starts (`shared_segments.py`);
 * (2) copies take no more of the disk than a sandbox may: of each so many bytes as it had when it was looked at, and of all as many as its limit.
 */
import { constants, fchmodSync, fchownSync, fstatSync, linkSync, lstatSync, unlinkSync } from 'node:fs';
import { copyFile, open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { chunksOf, writeAll } from '../store/chunks.js';
import { OpenedFolder } from './opened-folder.js';
import { endsWhole, segmentFile } from './segments.js';
import { addVerified, verifiedLine, verifiedSegments } from './verified-segments.js';

const LINUX = process.platform === 'linux';

/** What a fork may still copy. */
export interface CopyRoom {
  bytes: number;
}

/**
 * Puts the segments of these names that the folder `from` has into the folder `to`. Passed over is what does not end as a segment, which no guest
 * would read, and what there is no room for: a state that builds on it is missing to the guest, which falls back to an older one.
 */
export async function forkSegments(from: string, names: ReadonlySet<string>, to: string, room: CopyRoom): Promise<void> {
  const folder = await OpenedFolder.at(from);
  if (!folder) return;
  try {
    const verified = verifiedSegments(folder.pathOf('verified'));
    const files = new Set(await folder.names());
    const [here, there]: [string[], string[]] = [[], []];
    for (const name of names) {
      const file = files.has(segmentFile(name)) ? await folder.file(segmentFile(name)) : undefined;
      if (!file) continue;
      try {
        const target = join(to, segmentFile(name));
        const before = await file.stat({ bigint: true });
        if (!(await endsWhole(file, Number(before.size))) || !(await share(file, folder.pathOf(segmentFile(name)), target, Number(before.size), room))) continue;
        const after = await file.stat({ bigint: true });
        if (!verified.has(verifiedLine(name, before)) || after.mtimeNs !== before.mtimeNs || after.size !== before.size) continue;
        here.push(verifiedLine(name, after));
        there.push(verifiedLine(name, lstatSync(target, { bigint: true })));
      } finally {
        await file.close();
      }
    }
    addVerified(folder.pathOf('verified'), here.filter((line) => !verified.has(line)));
    addVerified(join(to, 'verified'), there);
  } finally {
    await folder.close();
  }
}

/** Both sandboxes see the same bytes, which neither can change; where that can't be had, the new one gets a copy. False when there is no room. */
async function share(file: FileHandle, path: string, to: string, size: number, room: CopyRoom): Promise<boolean> {
  if (LINUX && process.getuid?.() === 0 && isLinked(file.fd, path, to)) {
    fchownSync(file.fd, 0, 0);
    fchmodSync(file.fd, 0o444);
    return true;
  }
  if (size > room.bytes) return false;
  room.bytes -= size;
  if (await isCloned(file, to)) return true;
  const copy = await open(to, 'wx', 0o600);
  try {
    await writeAll(copy, chunksOf(file, size), size);
  } finally {
    await copy.close();
  }
  return true;
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

/** A copy that takes no room where the file system can do that, and else none: a copy by bytes would go on as long as the file grows. */
async function isCloned(file: FileHandle, to: string): Promise<boolean> {
  try {
    if (LINUX) await copyFile(`/proc/self/fd/${file.fd}`, to, constants.COPYFILE_FICLONE_FORCE);
    return LINUX;
  } catch {
    return false;
  }
}
