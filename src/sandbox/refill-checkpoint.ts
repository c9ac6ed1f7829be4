/**
 * Gives a sandbox's folder whose states are gone, as on another host, or damaged, those that a checkpoint store has. Host side, while no sandbox
 * runs in it.
 * Invariants:
 * (1) the folder is there with all of a state or is as it was; one in which a sandbox runs, or that holds a state that was not given up, is left alone;
 * (2) only states of cells that the session's chain has are taken, with everything they build on;
 * (3) a sandbox is ended, and states that were given up are replaced, only once the new ones are on this disk, only as both stood when they were
 *     given up, and never after the work was ended; the highest epoch stays;
 * (4) nothing of what is fetched is read here but the names of segments; the guest verifies every byte, and falls back to an older state.
 */
import { randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { bytesOf, type CheckpointStore, type ListedObject } from '../store/checkpoint-store.js';
import { writeAll } from '../store/chunks.js';
import { discardTree } from '../store/hostile-tree.js';
import { MAX_MANIFEST_BYTES, manifestName, manifestNumbers } from './manifests.js';
import { keepEpoch, keptEpoch } from './journal-epoch.js';
import { isFree, keepIdentity, keptIdentity } from './process/sandbox-folder.js';
import { isOf, lineagesIn, pathTo, readIdentity, type RemoteLineage, type RemoteManifest } from './remote-checkpoint.js';
import { mostRemoteBytes } from './remote-room.js';
import { endsWhole, namedSegments, segmentFile } from './segments.js';
import type { ChainedSandbox } from './ship-checkpoint.js';
import { runs, type Standing } from './standing.js';

/** How many states are tried before all cells run again. */
const MOST_TRIES = 3;
/** What a killed fetch has left is nobody's after so long. */
const ABANDONED_MS = 24 * 3_600_000;

/** The right to replace states that were given up. */
export interface Replacing {
  /** The last cell whose state the guest could read; what is fetched is newer. */
  given: number;
  /** As all stood when they were given up. */
  standing: Standing;
  /** Ends the sandbox that runs on them. */
  end(): Promise<void>;
}

/** A state that can be fetched, with what it builds on. */
interface Candidate {
  lineage: RemoteLineage;
  path: RemoteManifest[];
}

/**
 * Fetches the newest whole state of the cells that the chain has, and returns its cell; undefined when nothing had to be done or there is
 * none, or somebody else has come into the folder meanwhile. Throws where the store or this disk fails, or the signal has ended it: the folder
 * is then as it was.
 */
export async function refillCheckpoint(store: CheckpointStore, sandbox: ChainedSandbox, { signal, replacing }: { signal?: AbortSignal | undefined; replacing?: Replacing } = {}): Promise<number | undefined> {
  const { session, folder } = sandbox;
  const holds = (ended = false) => replacing?.standing.moved(ended) ?? (runs(folder) || manifestNumbers(join(folder, 'checkpoint', 'manifests')).length > 0);
  if (sandbox.cells === 0 || holds()) return undefined;
  await sweep(folder);
  const newer = candidatesIn(await store.list(session), sandbox).filter(({ path }) => path.at(-1)!.k > (replacing?.given ?? -1));
  for (const candidate of newer.slice(0, MOST_TRIES)) {
    const making = `${folder}.fetch-${randomBytes(4).toString('hex')}`;
    try {
      const whole = await fetched(store, candidate, making, mostRemoteBytes(sandbox.diskBytes));
      signal?.throwIfAborted();
      if (holds()) return undefined;
      if (!whole) continue;
      await replacing?.end();
      signal?.throwIfAborted();
      return (await install(making, folder, () => holds(true))) ? candidate.path.at(-1)!.k : undefined;
    } finally {
      await discardTree(making);
    }
  }
  return undefined;
}

/** The last cell whose state can be had from the store; -1 when there is none. */
export async function remoteHead(store: CheckpointStore, sandbox: Pick<ChainedSandbox, 'session' | 'recordOf'>): Promise<number> {
  return candidatesIn(await store.list(sandbox.session), sandbox)[0]?.path.at(-1)?.k ?? -1;
}

/** Newest first. Pure. */
function candidatesIn(objects: readonly ListedObject[], { recordOf }: Pick<ChainedSandbox, 'recordOf'>): Candidate[] {
  return lineagesIn(objects)
    .filter(({ identity }) => identity !== undefined)
    .flatMap((lineage) => lineage.manifests.filter((each) => isOf(each, recordOf)).map((head) => ({ lineage, head })))
    .sort((a, b) => b.head.k - a.head.k || b.head.object.putAt - a.head.object.putAt)
    .slice(0, MOST_TRIES * 4)
    .flatMap(({ lineage, head }) => {
      const path = pathTo(head, lineage, recordOf);
      return path ? [{ lineage, path }] : [];
    });
}

/** Makes a sandbox's folder of what the store has; false where some of it can't be had. */
async function fetched(store: CheckpointStore, { lineage, path }: Candidate, making: string, most: number): Promise<boolean> {
  const identity = await readIdentity(store, lineage.identity!);
  if (!identity) return false;
  for (const name of ['run', 'workspace', 'checkpoint', 'checkpoint/manifests', 'checkpoint/segments']) mkdirSync(join(making, name), { recursive: true, mode: name === 'run' ? 0o700 : 0o755 });
  const checkpoint = join(making, 'checkpoint');
  const segments = new Set<string>();
  let left = most;
  if (path.some(({ object }) => object.bytes > MAX_MANIFEST_BYTES)) return false;
  for (const { k, object } of path) {
    const found = await store.get(object.key);
    if (!found || (left -= found.bytes) < 0) return false;
    const bytes = await bytesOf(found, object.bytes);
    if (!(await namedSegments(bytes, segments))) return false;
    await writeFile(join(checkpoint, 'manifests', manifestName(k)), bytes, { mode: 0o600 });
  }
  for (const name of segments) {
    const listed = lineage.segments.get(name);
    if (!listed) continue;
    const found = await store.get(listed.key);
    if (!found || found.bytes !== listed.bytes || (left -= found.bytes) < 0) return false;
    const file = await open(join(checkpoint, 'segments', segmentFile(name)), 'wx+', 0o600);
    try {
      if ((await writeAll(file, found.chunks, listed.bytes)) !== listed.bytes || !(await endsWhole(file, listed.bytes))) return false;
    } finally {
      await file.close();
    }
  }
  if (identity.fork) writeFileSync(join(checkpoint, 'fork.json'), JSON.stringify(identity.fork), { mode: 0o644 });
  keepIdentity(making, { session: identity.session, hashSeed: identity.hashSeed });
  return true;
}

/** Puts what was made in the folder's place; false when somebody else was first. What can't be removed is left to be swept. */
async function install(making: string, folder: string, holds: () => boolean): Promise<boolean> {
  const lost = isFree(folder) ? undefined : `${folder}.lost-${randomBytes(4).toString('hex')}`;
  if (lost !== undefined) {
    if (holds()) return false;
    const epoch = keptEpoch(folder);
    if (epoch) keepEpoch(making, keptIdentity(making)!.session, epoch);
    renameSync(folder, lost);
  }
  let installed = true;
  try {
    renameSync(making, folder);
  } catch (error) {
    installed = false;
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) {
      if (lost !== undefined) renameSync(lost, folder);
      throw error;
    }
  }
  if (lost !== undefined) await discardTree(lost);
  return installed;
}

async function sweep(folder: string): Promise<void> {
  let names: string[] = [];
  try {
    names = readdirSync(dirname(folder));
  } catch {
    // Nothing was ever made there.
  }
  for (const name of names) {
    if (!name.startsWith(`${basename(folder)}.fetch-`) && !name.startsWith(`${basename(folder)}.lost-`)) continue;
    const path = join(dirname(folder), name);
    // Another host sweeps too.
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found && Date.now() - found.mtimeMs > ABANDONED_MS) await discardTree(path);
  }
}
