/**
 * Where saved states of kernels are kept beside the machine they were saved on, so that another one can go on with them. Host side.
 * Invariants, which every implementation is held to by one suite:
 * (1) an object is there whole or not at all, whoever is killed while it is put;
 * (2) it is never changed: who puts a key that is there puts the same bytes, and several may at once;
 * (3) what was put before `put` resolved is listed and had by every host afterwards;
 * (4) a key is one or more plain names, joined by `/`: nothing else is ever looked at or made.
 */
export interface CheckpointStore {
  /** What it is, for people: a folder's path. */
  readonly place: string;
  /** Throws where it can't be written, or where the bytes are not as many as they were said to be: then nothing is there. */
  put(key: string, object: StoredObject): Promise<void>;
  /** Undefined when there is none. The chunks throw when they can't be read to their end. */
  get(key: string): Promise<StoredObject | undefined>;
  /** Every object whose key begins with these names, in no order. */
  list(prefix: string): Promise<ListedObject[]>;
  /** Harmless when there is none. */
  remove(key: string): Promise<void>;
  /** Removes what killed puts below these names have left and nobody is at any more. */
  tidy(prefix: string): Promise<void>;
}

/** The bytes of an object: read once, from the start. */
export interface StoredObject {
  bytes: number;
  chunks: AsyncIterable<Uint8Array>;
}

/** An object as a list names it. */
export interface ListedObject {
  key: string;
  bytes: number;
  /** When it was put, in Unix milliseconds by the store's clock. */
  putAt: number;
}

const NAME = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,200}$/;

/** The names of a key, or of a prefix. Throws where one is not plain. Pure. */
export function namesOf(key: string): string[] {
  const names = key.split('/');
  if (!names.every((name) => NAME.test(name))) throw new Error(`${JSON.stringify(key).slice(0, 300)} is no key of a checkpoint store.`);
  return names;
}

/** All bytes of an object. Throws past `most`. */
export async function bytesOf({ bytes, chunks }: StoredObject, most: number): Promise<Buffer> {
  if (bytes > most) throw new Error(`An object of the checkpoint store has ${bytes} bytes, where ${most} are the most.`);
  const parts: Uint8Array[] = [];
  let read = 0;
  for await (const chunk of chunks) {
    read += chunk.length;
    if (read > most) throw new Error(`An object of the checkpoint store has more than the ${bytes} bytes that it was listed with.`);
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

/** An object of bytes in memory. */
export function objectOf(bytes: Uint8Array): StoredObject {
  return { bytes: bytes.length, chunks: (async function* () { yield bytes; })() };
}
