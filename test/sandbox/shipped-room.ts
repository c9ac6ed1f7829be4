import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { manifestName } from '../../src/sandbox/manifests.js';
import { keepIdentity, layOut } from '../../src/sandbox/process/sandbox-folder.js';
import type { Shipment } from '../../src/sandbox/ship-checkpoint.js';
import { FolderCheckpoints, STATES_MARK } from '../../src/store/folder-checkpoints.js';

export const sha = (text: string): string => createHash('sha256').update(text).digest('hex');
export const segment = (n: number): string => `${n}-${String(n).repeat(12).slice(0, 12)}-0`;

/** Names of more segments than any kernel saves. */
export const tooManyNames = (): string => Array.from({ length: 100_001 }, (_, n) => `1-${n.toString(16).padStart(12, '0')}-1`).join(' ');

/** Bytes that end as a finished segment does. */
export function segmentBytes(data: string | Buffer): Buffer {
  const bytes = Buffer.from(data);
  const trailer = Buffer.alloc(48);
  trailer.writeBigUInt64LE(BigInt(bytes.length), 0);
  trailer.write('nl2code-segment1', 32, 'latin1');
  return Buffer.concat([bytes, trailer]);
}

/** A sandbox's folder with made-up states, a store, and a session's chain that has a record `record K` for every cell. No sandbox runs in it. */
export class ShippedRoom {
  readonly root = mkdtempSync(join(tmpdir(), 'nl2code-shipped-'));
  readonly folder = join(this.root, 'sandbox');
  readonly place = join(this.root, 'elsewhere');
  readonly store: FolderCheckpoints;

  constructor() {
    mkdirSync(this.place);
    writeFileSync(join(this.place, STATES_MARK), '');
    this.store = new FolderCheckpoints(this.place, 'process');
    this.begin();
  }

  begin(session = 'slot-1'): void {
    layOut(this.folder);
    keepIdentity(this.folder, { session, hashSeed: 42 });
    for (const name of ['manifests', 'segments']) mkdirSync(this.checkpoint(name));
  }

  checkpoint(...names: string[]): string {
    return join(this.folder, 'checkpoint', ...names);
  }

  /** Commits a cell: its segment, and a manifest that names it and that of cell 0. */
  commit(k: number, { bytes = `bytes of ${k}`, code = `code ${k}` }: { bytes?: string | Buffer; code?: string } = {}): void {
    writeFileSync(this.checkpoint('segments', `${segment(k)}.segment`), segmentBytes(bytes));
    writeFileSync(this.checkpoint('manifests', manifestName(k)), `\0\xff{"k":${k},"sha":"${sha(code)}"}["${segment(0)}",0,3],["${segment(k)}",0,3]`, 'latin1');
  }

  shipment(cells: number, over: Partial<Shipment> = {}): Shipment {
    return { session: 's', folder: this.folder, cells, recordOf: (k) => (k < cells ? sha(`record ${k}`) : undefined), codeShaOf: (k) => sha(`code ${k}`), diskBytes: 1 << 20, ...over };
  }

  /** What is in the store, by the last part of its keys, without hashes. */
  async stored(): Promise<string[]> {
    return (await this.store.list('s')).map(({ key }) => key.split('/').at(-1)!.replace(/^(\d{8})-.*\.manifest$/, '$1.manifest')).sort();
  }

  manifests(): string[] {
    return readdirSync(this.checkpoint('manifests')).sort();
  }

  read(...names: string[]): string {
    return readFileSync(this.checkpoint(...names), 'latin1');
  }

  lose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  close(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
