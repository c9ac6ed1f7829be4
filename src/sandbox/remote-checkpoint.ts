/**
 * How a session's states lie in a checkpoint store: `<session>/<lineage>/{identity.json, segments/<name>.segment, manifests/<…>.manifest}`.
 * Invariants:
 * (1) a manifest is put after the segments it names and after the manifest before it, so what one builds on is there when it is;
 * (2) its name says which record of the session's chain its cell has, what it holds and which manifest it followed, so a list of names tells
 *     what can be restored, and states of runs that were taken back are told from those that count;
 * (3) a lineage is one guest's name and hash seed: manifests of two are never mixed.
 */
import { createHash } from 'node:crypto';
import type { Hash } from '../session/json.js';
import { bytesOf, type CheckpointStore, type ListedObject } from '../store/checkpoint-store.js';
import type { FolderIdentity } from './process/sandbox-folder.js';
import { segmentFile, segmentName } from './segments.js';

/** What the kernel of a fork has of its own; see `forks.py`. */
export interface ForkedAt {
  k: number;
  /** 64 hexadecimal digits. */
  entropy: string;
}

/** Whose states they are. */
export interface RemoteIdentity extends FolderIdentity {
  fork: ForkedAt | null;
}

/** A manifest in the store. The hashes are the first 32 digits of them. */
export interface RemoteManifest {
  k: number;
  /** Of the cell in the session's chain. */
  record: Hash;
  sha: Hash;
  /** Of the manifest it followed; zeros for the first. */
  before: Hash;
  object: ListedObject;
}

/** What is there of one lineage. */
export interface RemoteLineage {
  id: string;
  manifests: RemoteManifest[];
  segments: Map<string, ListedObject>;
  /** Undefined where the first put of it was cut off. */
  identity: ListedObject | undefined;
}

const DIGITS = 32;
const MANIFEST = /^(\d{8,12})-([0-9a-f]{32})-([0-9a-f]{32})-([0-9a-f]{32})\.manifest$/;
const MAX_IDENTITY_BYTES = 4096;
const ENTROPY = /^[0-9a-f]{64}$/;

/** The manifest that none came before. */
export const NONE_BEFORE: Hash = '0'.repeat(DIGITS);

/** A hash as names have it. */
export const shortened = (hash: Hash): Hash => hash.slice(0, DIGITS);

/** The text that is kept of an identity. The same one gives the same text. */
export function identityText({ session, hashSeed, fork }: RemoteIdentity): string {
  return JSON.stringify({ session, hashSeed, fork: fork && { k: fork.k, entropy: fork.entropy } });
}

/** Name of the lineage of an identity. */
export function lineageOf(identity: RemoteIdentity): string {
  return createHash('sha256').update(identityText(identity)).digest('hex').slice(0, DIGITS);
}

export const identityKey = (session: string, lineage: string): string => `${session}/${lineage}/identity.json`;
export const segmentKey = (session: string, lineage: string, name: string): string => `${session}/${lineage}/segments/${segmentFile(name)}`;
export function manifestKey(session: string, lineage: string, { k, record, sha, before }: Omit<RemoteManifest, 'object'>): string {
  return `${session}/${lineage}/manifests/${String(k).padStart(8, '0')}-${[record, sha, before].map(shortened).join('-')}.manifest`;
}

/** The lineages of a session among what its list names; what was put by nobody of this version is passed over. Pure. */
export function lineagesIn(objects: readonly ListedObject[]): RemoteLineage[] {
  const found = new Map<string, RemoteLineage>();
  for (const object of objects) {
    const [, id, kind, file, ...more] = object.key.split('/');
    if (id === undefined || kind === undefined || more.length > 0) continue;
    let lineage = found.get(id);
    if (!lineage) found.set(id, (lineage = { id, manifests: [], segments: new Map(), identity: undefined }));
    if (kind === 'identity.json' && file === undefined) lineage.identity = object;
    const segment = kind === 'segments' && file !== undefined ? segmentName(file) : undefined;
    if (segment !== undefined) lineage.segments.set(segment, object);
    const [, k, record, sha, before] = (kind === 'manifests' && file !== undefined && MANIFEST.exec(file)) || [];
    if (before !== undefined) lineage.manifests.push({ k: Number(k), record: record!, sha: sha!, before, object });
  }
  return [...found.values()];
}

/** Everything that a manifest builds on, oldest first and itself last; undefined when some of it is not there. Pure. */
export function pathTo(head: RemoteManifest, { manifests }: RemoteLineage, recordOf: (k: number) => Hash | undefined): RemoteManifest[] | undefined {
  const path = [head];
  for (let first = head; first.before !== NONE_BEFORE; first = path[0]!) {
    const before = manifests.find((each) => each.sha === first.before && each.k < first.k && isOf(each, recordOf));
    if (!before) return undefined;
    path.unshift(before);
  }
  return path;
}

/** Whether a manifest's cell is the one that the chain has. Pure. */
export function isOf({ k, record }: RemoteManifest, recordOf: (k: number) => Hash | undefined): boolean {
  const known = recordOf(k);
  return known !== undefined && shortened(known) === record;
}

/** Reads whose states they are; undefined where that can't be told. */
export async function readIdentity(store: CheckpointStore, { key }: ListedObject): Promise<RemoteIdentity | undefined> {
  const object = await store.get(key);
  if (!object) return undefined;
  try {
    const { session, hashSeed, fork } = JSON.parse((await bytesOf(object, MAX_IDENTITY_BYTES)).toString('utf8')) as Partial<RemoteIdentity>;
    const sound = typeof session === 'string' && Number.isInteger(hashSeed) && hashSeed! >= 0 && hashSeed! <= 0xffffffff;
    return sound ? { session, hashSeed: hashSeed!, fork: forkIn(fork) } : undefined;
  } catch {
    return undefined;
  }
}

/** What a fork's file or identity says; null for what no host has written. Pure. */
export function forkIn(said: unknown): ForkedAt | null {
  const { k, entropy } = (typeof said === 'object' && said !== null ? said : {}) as Partial<ForkedAt>;
  return Number.isInteger(k) && k! >= -1 && typeof entropy === 'string' && ENTROPY.test(entropy) ? { k: k!, entropy } : null;
}
