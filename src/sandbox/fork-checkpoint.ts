/**
 * Gives a new sandbox folder the committed past of another, up to a cell. Host side; the other may be alive and run code meanwhile.
 * Invariants:
 * (1) the fork is there whole or not at all;
 * (2) nothing is read through a link that a cell left, and nothing that a manifest or segment holds is run or believed here.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Nl2codeError } from '../session/error-table.js';
import { discardTree } from '../store/hostile-tree.js';
import { forkSegments, type CopyRoom } from './forked-segments.js';
import { MAX_MANIFEST_BYTES, manifestName, manifestNumber } from './manifests.js';
import { OpenedFolder } from './opened-folder.js';
import { isFree, keepIdentity, keptIdentity } from './process/sandbox-folder.js';
import { namedSegments } from './segments.js';

/** Copied at once: waiting for each of many would let a session that runs quick cells be forked only after all of them. */
const SMALL_BYTES = 1 << 20;

/** What a fork holds. */
export interface ForkedCheckpoint {
  /** Its last committed cell; -1 when there is none up to the one that was asked for. */
  head: number;
}

/**
 * Makes `to` (new, or an empty folder) a sandbox folder whose kernel goes on after the last cell up to `k` that `from` has committed: with its
 * variables, files and hash seed, on its own from there. What a cell between that one and `k` did is caught up on when the session asks for
 * more. Random numbers that nobody seeded begin anew after `k`: `fork.json` says so to the guest. What is copied of
 * its states comes to no more than `diskBytes`. Throws `not-found` and `bad-request`.
 */
export async function forkCheckpoint(from: string, k: number, to: string, diskBytes: number): Promise<ForkedCheckpoint> {
  const identity = keptIdentity(from);
  if (!identity) throw new Nl2codeError('not-found', `There is no sandbox to fork in ${from}.`, { remedy: '' });
  if (!isFree(to)) throw new Nl2codeError('bad-request', `The folder ${to} of a fork holds something already.`, { remedy: '' });
  const making = `${to}.fork-${randomBytes(4).toString('hex')}`;
  mkdirSync(dirname(to), { recursive: true });
  try {
    for (const name of ['run', 'checkpoint', 'checkpoint/manifests', 'checkpoint/segments']) mkdirSync(join(making, name), { recursive: true, mode: name === 'run' ? 0o700 : 0o755 });
    const checkpoint = join(making, 'checkpoint');
    const segments = new Set<string>();
    const room = { bytes: diskBytes };
    const head = await forkManifests(join(from, 'checkpoint', 'manifests'), k, join(checkpoint, 'manifests'), segments, room);
    await forkSegments(join(from, 'checkpoint', 'segments'), segments, join(checkpoint, 'segments'), room);
    writeFileSync(join(checkpoint, 'fork.json'), JSON.stringify({ k, entropy: randomBytes(32).toString('hex') }), { mode: 0o644 });
    keepIdentity(making, identity);
    renameSync(making, to);
    return { head };
  } catch (error) {
    await discardTree(making);
    throw error;
  }
}

/** Copies the manifests up to a cell, adds what they name, and returns the last one. One that no kernel has written, or for which there is no room, is passed over. */
async function forkManifests(from: string, k: number, to: string, segments: Set<string>, room: CopyRoom): Promise<number> {
  const folder = await OpenedFolder.at(from);
  let head = -1;
  try {
    const numbers = ((await folder?.names()) ?? []).flatMap((name) => manifestNumber(name) ?? []).sort((a, b) => a - b);
    for (const n of numbers.filter((number) => number <= k)) {
      const bytes = folder!.readSmall(manifestName(n), SMALL_BYTES) ?? (await folder!.read(manifestName(n), MAX_MANIFEST_BYTES));
      if (!bytes || bytes.length > room.bytes || !(await namedSegments(bytes, segments))) continue;
      room.bytes -= bytes.length;
      if (bytes.length <= SMALL_BYTES) writeFileSync(join(to, manifestName(n)), bytes, { mode: 0o600 });
      else await writeFile(join(to, manifestName(n)), bytes, { mode: 0o600 });
      head = n;
    }
  } finally {
    await folder?.close();
  }
  return head;
}
