/**
 * Puts into a checkpoint store what is missing there of the states that a sandbox's folder has. Host side; the sandbox may run code meanwhile.
 * Invariants:
 * (1) what is missing is found by comparing, so whoever was killed in the middle of it is followed by anybody, and several may do it at once;
 * (2) nothing is put but regular files with the names of segments and manifests, and of a file that changes only so many bytes as it had;
 * (3) what a manifest holds is not believed: the segments it names are looked for by the pattern of their names, and the newest one counts only
 *     with the hash of the code that the session's chain has for its cell;
 * (4) a session never has more in the store than it may.
 */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Hash } from '../session/json.js';
import { objectOf, type CheckpointStore } from '../store/checkpoint-store.js';
import { chunksOf } from '../store/chunks.js';
import { MAX_MANIFEST_BYTES, manifestName, manifestNumber } from './manifests.js';
import { OpenedFolder } from './opened-folder.js';
import { keptIdentity } from './process/sandbox-folder.js';
import { forkIn, identityKey, identityText, isOf, lineageOf, lineagesIn, manifestKey, NONE_BEFORE, pathTo, segmentKey, shortened, type RemoteIdentity, type RemoteLineage, type RemoteManifest } from './remote-checkpoint.js';
import { RemoteRoom } from './remote-room.js';
import { endsWhole, MOST_SEGMENTS, namedSegments, segmentFile, segmentName } from './segments.js';

/** A session's sandbox, as the chain knows it. */
export interface ChainedSandbox {
  /** Plain name of the session, the first of every key. */
  session: string;
  /** Host folder of its sandbox. */
  folder: string;
  /** Cells that the chain has. */
  cells: number;
  /** The record of a cell in the chain; undefined for a cell it does not have. */
  recordOf(k: number): Hash | undefined;
  /** Bytes of the sandbox's disk limit. */
  diskBytes: number;
}

/** What is shipped of one. */
export interface Shipment extends ChainedSandbox {
  /** Hash of a cell's code; undefined where it can't be told. Only the newest state is asked for it. */
  codeShaOf(k: number): Hash | undefined;
}

interface LocalManifest {
  k: number;
  sha: Hash;
  record: Hash;
  before: Hash;
}

const HASHED_AT_A_TIME = 4 << 20;
const MAX_FORK_BYTES = 4096;

/** Ships what is missing and returns the last cell whose state is in the store, -1 when there is none. Throws where the store or the room fails. */
export async function shipCheckpoint(store: CheckpointStore, shipment: Shipment): Promise<number> {
  const { session, folder } = shipment;
  const before = await identityOf(folder);
  const [manifests, segments] = await Promise.all(['manifests', 'segments'].map((name) => OpenedFolder.at(join(folder, 'checkpoint', name))));
  try {
    const identity = await identityOf(folder);
    // Another folder may have been put in its place meanwhile.
    if (!manifests || !before || !identity || identityText(identity) !== identityText(before)) return -1;
    const objects = await store.list(session);
    const id = lineageOf(identity);
    const lineage = lineagesIn(objects).find((each) => each.id === id) ?? { id, manifests: [], segments: new Map(), identity: undefined };
    const { there, missing } = await compared(manifests, lineage, shipment);
    let head = there?.k ?? -1;
    if (missing.length === 0) return head;
    await store.tidy(session);
    const local = {
      lineage: id,
      manifests: (there && pathTo(there, lineage, shipment.recordOf)) ?? lineage.manifests,
      segments: new Set(((await segments?.names()) ?? []).flatMap((name) => segmentName(name) ?? [])),
    };
    const shipping: Shipping = { store, session, lineage, room: new RemoteRoom(store, shipment.diskBytes, objects, local), manifests, segments, named: new Set() };
    if (!lineage.identity) await put(shipping, identityKey(session, id), Buffer.from(identityText(identity)));
    for (const manifest of missing) {
      if (!(await shipOne(shipping, manifest))) break;
      head = manifest.k;
    }
    return head;
  } finally {
    await manifests?.close();
    await segments?.close();
  }
}

/** One pass over one folder. */
interface Shipping {
  store: CheckpointStore;
  session: string;
  lineage: RemoteLineage;
  room: RemoteRoom;
  manifests: OpenedFolder;
  segments: OpenedFolder | undefined;
  /** Segments that its manifests have named so far. */
  named: Set<string>;
}

/** The manifests that the store lacks, oldest first, and the newest that it has. */
async function compared(manifests: OpenedFolder, lineage: RemoteLineage, { cells, recordOf, codeShaOf }: Shipment): Promise<{ there: RemoteManifest | undefined; missing: LocalManifest[] }> {
  const numbers = (await manifests.names()).flatMap((name) => manifestNumber(name) ?? []).filter((k) => k < cells).sort((a, b) => b - a);
  const missing: LocalManifest[] = [];
  for (const k of numbers) {
    const record = recordOf(k);
    const bytes = record === undefined ? undefined : await manifests.read(manifestName(k), MAX_MANIFEST_BYTES);
    if (record === undefined || !bytes) continue;
    const sha = await sha256(bytes);
    if (missing[0]) missing[0].before = sha;
    // What is there has all it builds on there.
    const there = lineage.manifests.find((each) => each.k === k && each.sha === shortened(sha) && isOf(each, recordOf));
    if (there) return { there, missing };
    if (missing.length === 0 && !isCellOf(bytes, codeShaOf(k))) break;
    missing.unshift({ k, sha, record, before: NONE_BEFORE });
  }
  return { there: undefined, missing };
}

/** Whether a manifest says that it is of this code. One that stands there for a cell of another run of the session does not. */
function isCellOf(manifest: Buffer, codeSha: Hash | undefined): boolean {
  return codeSha === undefined || manifest.includes(`"sha":"${codeSha}"`);
}

/** False when the manifest has been replaced or removed since it was looked at: what it named may be gone. Throws where it is no kernel's. */
async function shipOne(shipping: Shipping, manifest: LocalManifest): Promise<boolean> {
  const { session, lineage, manifests, segments, named } = shipping;
  const same = async () => {
    const bytes = await manifests.read(manifestName(manifest.k), MAX_MANIFEST_BYTES);
    return bytes && (await sha256(bytes)) === manifest.sha ? bytes : undefined;
  };
  const bytes = await same();
  if (!bytes) return false;
  const here = new Set(await segments?.names());
  const names = await namedSegments(bytes, named);
  if (!names) throw new Error(`The state after cell ${manifest.k} names more than ${MOST_SEGMENTS} segments, as none does that a kernel has saved: it stays here, with all that come after it. A fork of the session before that cell is shipped again.`);
  for (const name of names) {
    if (lineage.segments.has(name) || !here.has(segmentFile(name))) continue;
    const file = await segments!.file(segmentFile(name));
    if (!file) continue;
    try {
      await shipSegment(shipping, name, file);
    } finally {
      await file.close();
    }
  }
  if (!(await same())) return false;
  await put(shipping, manifestKey(session, lineage.id, manifest), bytes);
  return true;
}

/** One that does not end as a segment does is passed over: no guest would read it. */
async function shipSegment({ store, room, session, lineage }: Shipping, name: string, file: FileHandle): Promise<void> {
  const { size } = await file.stat();
  if (!(await endsWhole(file, size))) return;
  const key = segmentKey(session, lineage.id, name);
  await room.take(size);
  await store.put(key, { bytes: size, chunks: chunksOf(file, size) });
  lineage.segments.set(name, { key, bytes: size, putAt: Date.now() });
}

async function put({ store, room }: Shipping, key: string, bytes: Buffer): Promise<void> {
  await room.take(bytes.length);
  await store.put(key, objectOf(bytes));
}

async function sha256(bytes: Buffer): Promise<Hash> {
  const hash = createHash('sha256');
  for (let at = 0; at < bytes.length; at += HASHED_AT_A_TIME) {
    if (at > 0) await nextTurn();
    hash.update(bytes.subarray(at, at + HASHED_AT_A_TIME));
  }
  return hash.digest('hex');
}

/** Whose states a folder holds; undefined where no sandbox was started in it. */
async function identityOf(folder: string): Promise<RemoteIdentity | undefined> {
  const kept = keptIdentity(folder);
  const checkpoint = kept && (await OpenedFolder.at(join(folder, 'checkpoint')));
  try {
    const said = await checkpoint?.read('fork.json', MAX_FORK_BYTES);
    return kept ? { ...kept, fork: said ? forkIn(parsed(said)) : null } : undefined;
  } finally {
    await checkpoint?.close();
  }
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return null;
  }
}
