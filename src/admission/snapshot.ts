import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { InputRef } from '../session/request.js';
import { Nl2codeError } from '../session/error-table.js';
import { syncFolder, type Durability } from '../store/file.js';
import { openInput, type InputPolicy, type OpenInput } from './input-file.js';
import { refusal, shown } from './refusal.js';

const CHUNK_BYTES = 1 << 20;

/**
 * Copies inputs into a session's folder, each under its own name, mode 0444. Reads from the descriptor that was checked, so nothing
 * swapped in later is copied. Repeating it is harmless: a file that is there already with the same content stays. Throws `bad-input`
 * for a file that changes while it is copied, or whose name holds other content.
 */
export async function snapshotInputs(paths: string[], folder: string, policy: InputPolicy, durability: Durability): Promise<InputRef[]> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const refs: InputRef[] = [];
  for (const path of paths) {
    const input = await openInput(path, policy);
    try {
      refs.push(await snapshot(input, path, folder, durability));
    } finally {
      await input.handle.close();
    }
  }
  if (refs.length > 0) syncFolder(folder, durability);
  return refs;
}

async function snapshot(input: OpenInput, path: string, folder: string, durability: Durability): Promise<InputRef> {
  const target = join(folder, input.name);
  const temporary = join(folder, `.tmp-${randomBytes(9).toString('hex')}`);
  try {
    const copied = await copy(input, path, temporary, durability);
    const there = await digestOf(target);
    if (there === copied.sha256) return { name: input.name, ...copied };
    if (there !== null) {
      throw refusal(`The input ${shown(path)} differs from the one this session was started with: use another --idempotency-key, or give the same file.`, 'bad-input');
    }
    await rename(temporary, target);
    return { name: input.name, ...copied };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOSPC' || code === 'EDQUOT') throw new Nl2codeError('store-full', `The input ${shown(path)} could not be copied into ${folder}: no space left.`, { cause: error });
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

async function copy({ handle, stat }: OpenInput, path: string, to: string, durability: Durability): Promise<Omit<InputRef, 'name'>> {
  const out = await open(to, 'wx', 0o600);
  try {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of chunks(handle)) {
      bytes += chunk.length;
      // A file that grows without end must not fill the disk.
      if (BigInt(bytes) > stat.size) break;
      hash.update(chunk);
      await out.writeFile(chunk);
    }
    const after = await handle.stat({ bigint: true });
    if (BigInt(bytes) !== stat.size || after.size !== stat.size || after.mtimeNs !== stat.mtimeNs || after.ctimeNs !== stat.ctimeNs) {
      throw refusal(`The input ${shown(path)} changed while it was copied: wait until it is complete and start again.`, 'bad-input');
    }
    await out.chmod(0o444);
    if (durability === 'host') await out.sync();
    return { sha256: hash.digest('hex'), bytes };
  } finally {
    await out.close();
  }
}

async function* chunks(handle: FileHandle): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let at = 0; ; ) {
    const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

async function digestOf(path: string): Promise<string | null> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    const hash = createHash('sha256');
    for await (const chunk of chunks(handle)) hash.update(chunk);
    return hash.digest('hex');
  } finally {
    await handle.close();
  }
}
