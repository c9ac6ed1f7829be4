import { createHash, randomBytes } from 'node:crypto';
import { closeSync, existsSync, fdatasyncSync, linkSync, openSync, readFileSync, readSync, renameSync, rmSync, unlinkSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Hash, TextRef } from '../session/json.js';
import { Nl2codeError } from '../session/error-table.js';
import { shareFile, syncFolder, writeTemporary, writing, type Durability } from './file.js';

/** Hex SHA-256 of bytes or UTF-8 text. */
export const sha256 = (bytes: string | Uint8Array): Hash => createHash('sha256').update(bytes).digest('hex');

/** Text up to this many characters lives in its record: one file a step. */
const INLINE_CHARS = 4096;
const CACHE_CHARS = 8 << 20;

/** The content-addressed blobs of one session. Every read is verified against its name. */
export class Blobs {
  private readonly cache = new Map<Hash, string>();
  private cached = 0;

  constructor(
    readonly folder: string,
    private readonly durability: Durability,
  ) {}

  /** Absolute path of a blob, for readers that stream; it may be absent. */
  path(hash: Hash): string {
    if (!/^[0-9a-f]{64}$/.test(hash)) throw new Nl2codeError('not-found', `${JSON.stringify(hash).slice(0, 80)} is not a blob name.`);
    return join(this.folder, hash);
  }

  put(bytes: string | Uint8Array): Hash {
    const hash = sha256(bytes);
    if (typeof bytes === 'string' && this.cache.has(hash)) return hash;
    const path = this.path(hash);
    writing('A blob', () => {
      if (existsSync(path)) return;
      renameSync(writeTemporary(this.folder, bytes, this.durability), path);
      syncFolder(this.folder, this.durability);
    });
    if (typeof bytes === 'string') this.remember(hash, bytes);
    return hash;
  }

  /** Copies what an opened descriptor holds, from its start, without holding it in memory. Throws `bad-input` past `maxBytes`. */
  putFrom(fd: number, maxBytes: number): { hash: Hash; bytes: number } {
    const digest = createHash('sha256');
    const chunk = Buffer.allocUnsafe(1 << 20);
    const temporary = join(this.folder, `.tmp-${randomBytes(9).toString('hex')}`);
    const out = openSync(temporary, 'wx', 0o600);
    let bytes = 0;
    try {
      for (let n = 0; (n = readSync(fd, chunk, 0, chunk.length, bytes)) > 0; ) {
        bytes += n;
        if (bytes > maxBytes) throw new Nl2codeError('bad-input', `A file of the session is larger than ${maxBytes} bytes.`);
        digest.update(chunk.subarray(0, n));
        writing('A blob', () => {
          for (let at = 0; at < n; ) at += writeSync(out, chunk, at, n - at);
        });
      }
      if (this.durability === 'host') fdatasyncSync(out);
      const hash = digest.digest('hex');
      if (existsSync(this.path(hash))) unlinkSync(temporary);
      else renameSync(temporary, this.path(hash));
      syncFolder(this.folder, this.durability);
      return { hash, bytes };
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    } finally {
      closeSync(out);
    }
  }

  read(hash: Hash): string {
    const known = this.cache.get(hash);
    if (known !== undefined) return known;
    const text = this.readBytes(hash).toString('utf8');
    this.remember(hash, text);
    return text;
  }

  readBytes(hash: Hash): Buffer {
    const path = this.path(hash);
    let bytes: Buffer;
    try {
      bytes = readFileSync(path);
    } catch (error) {
      throw new Nl2codeError('store-corrupt', `Blob ${hash.slice(0, 12)} is missing.`, { cause: error });
    }
    if (sha256(bytes) !== hash) throw new Nl2codeError('store-corrupt', `Blob ${hash.slice(0, 12)} does not hold what its name says.`);
    return bytes;
  }

  /** Copies a blob to a new file, read whole and verified against its name. */
  copyTo(hash: Hash, to: string): void {
    writeFileSync(to, this.readBytes(hash), { flag: 'wx', mode: 0o600 });
  }

  /** Small text stays with its record, longer text becomes a blob. */
  keep(text: string): TextRef {
    return text.length <= INLINE_CHARS ? { text } : { hash: this.put(text) };
  }

  text(ref: TextRef): string {
    return 'text' in ref ? ref.text : this.read(ref.hash);
  }

  /** Makes a blob appear under another path without copying where the file system allows it. */
  link(hash: Hash, to: string): void {
    linkSync(this.path(hash), to);
  }

  /** Shares blobs of another session; one that is not there is left out. */
  takeOver(hashes: Iterable<Hash>, from: Blobs): void {
    for (const hash of hashes) if (existsSync(from.path(hash))) shareFile(from.path(hash), this.path(hash), this.durability);
    syncFolder(this.folder, this.durability);
  }

  private remember(hash: Hash, text: string): void {
    if (text.length > CACHE_CHARS / 8) return;
    this.cache.set(hash, text);
    this.cached += text.length;
    for (const [oldest, value] of this.cache) {
      if (this.cached <= CACHE_CHARS) break;
      this.cache.delete(oldest);
      this.cached -= value.length;
    }
  }
}
