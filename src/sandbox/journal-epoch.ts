import { closeSync, constants, fstatSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Epoch } from '../kernel/protocol.js';

const LENGTHS = 8;
const CRC = 4;
const MAX_BYTES = 256 << 20;

const journal = (folder: string): string => join(folder, 'checkpoint', 'ledger', 'journal');

/**
 * The highest epoch that the journal in a sandbox's folder has, as `journal.py` writes it; undefined where none can be read. Nothing that counts
 * may rest on it alone: a sandbox may have written it.
 */
export function keptEpoch(folder: string): Epoch | undefined {
  const bytes = bytesOf(journal(folder));
  let highest: Epoch | undefined;
  for (let at = 0; bytes && at + LENGTHS + CRC <= bytes.length; ) {
    const header = at + LENGTHS;
    const end = header + bytes.readUInt32BE(at) + bytes.readUInt32BE(at + 4);
    if (end + CRC > bytes.length || end === header || crc32(bytes.subarray(at, end)) !== bytes.readUInt32BE(end)) break;
    const epoch = epochIn(bytes.toString('utf8', header, header + bytes.readUInt32BE(at)));
    if (epoch && (!highest || isAfter(epoch, highest))) highest = epoch;
    at = end + CRC;
  }
  return highest;
}

/** Begins the journal of a folder that has none with an epoch, so that who is older stays fenced. */
export function keepEpoch(folder: string, session: string, epoch: Epoch): void {
  const header = Buffer.from(JSON.stringify({ type: 'epoch', k: -1, session, epoch }));
  const frame = Buffer.concat([Buffer.alloc(LENGTHS), header]);
  frame.writeUInt32BE(header.length, 0);
  const seal = Buffer.alloc(CRC);
  seal.writeUInt32BE(crc32(frame));
  mkdirSync(join(folder, 'checkpoint', 'ledger'), { recursive: true, mode: 0o700 });
  writeFileSync(journal(folder), Buffer.concat([frame, seal]), { mode: 0o600, flag: 'wx' });
}

function isAfter([order, attempt]: Epoch, [before, tried]: Epoch): boolean {
  return order > before || (order === before && attempt > tried);
}

function bytesOf(path: string): Buffer | undefined {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  try {
    const found = fstatSync(file);
    return found.isFile() && found.size <= MAX_BYTES ? readFileSync(file) : undefined;
  } finally {
    closeSync(file);
  }
}

function epochIn(header: string): Epoch | undefined {
  try {
    const { epoch } = JSON.parse(header) as { epoch?: unknown };
    return Array.isArray(epoch) && epoch.length === 2 && epoch.every((part) => Number.isSafeInteger(part) && part >= 0) ? (epoch as Epoch) : undefined;
  } catch {
    return undefined;
  }
}
