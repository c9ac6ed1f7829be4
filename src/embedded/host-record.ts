import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isIdentity, type ProcessIdentity } from './process-identity.js';

/** What `<dataDir>/host.json` says: who serves the data directory, and how to reach it. Holds no secret. */
export interface HostRecord {
  pid: number;
  /** `up` stays; `ephemeral` leaves with its last client. */
  mode: 'up' | 'ephemeral';
  /** Unix socket where clients attach. */
  socket: string;
  /** host:port of the Temporal server. */
  address: string;
  namespace: string;
  taskQueue: string;
  uiUrl: string | null;
  /** Base URL of the scripted model; null when an endpoint is configured. */
  modelUrl: string | null;
  /** The endpoint that the workers ask; null for the scripted model. */
  modelBaseUrl: string | null;
  workers: number[];
  /** Every child, so that the next host can end what a killed one left. */
  children: ProcessIdentity[];
}

const file = (dataDir: string): string => join(dataDir, 'host.json');

/** Replaces the record in one rename. Only the holder of the host lock may. */
export function writeHostRecord(dataDir: string, record: HostRecord): void {
  const temporary = join(dataDir, `.host.json-${randomBytes(9).toString('hex')}`);
  writeFileSync(temporary, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(temporary, file(dataDir));
}

export function removeHostRecord(dataDir: string): void {
  rmSync(file(dataDir), { force: true });
}

/** The children that the last host wrote down; empty when there is no readable record. */
export function recordedChildren(dataDir: string): ProcessIdentity[] {
  try {
    const { children } = JSON.parse(readFileSync(file(dataDir), 'utf8')) as { children?: unknown };
    return Array.isArray(children) ? children.filter(isIdentity) : [];
  } catch {
    return [];
  }
}
