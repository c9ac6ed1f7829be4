import { spawn } from 'node:child_process';
import { closeSync, existsSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ResolvedConfig } from '../config.js';
import { Nl2codeError } from '../session/error-table.js';
import { lastLine, openLog } from './child-log.js';
import { checkFormat, prepareDataDir } from './data-dir.js';
import type { HostProcessConfig, HostProcessMessage } from './host-main.js';
import { lockHolder } from './host-lock.js';
import type { HostRecord } from './host-record.js';
import { LEAVE, hostSocketPath, refuseForeign, type HostMessage } from './host-socket.js';
import { script, type HostOptions } from './host.js';
import { onLine } from './lines.js';

/** A hold on the host of a data directory. While one is held, an ephemeral host stays. */
export interface HostLease {
  /** host:port of the Temporal server. */
  address: string;
  namespace: string;
  taskQueue: string;
  /** Base URL of the scripted model; null when an endpoint is configured. */
  modelUrl: string | null;
  uiUrl: string | null;
  /** null when the configured cluster is served by workers elsewhere. */
  hostPid: number | null;
  /** The host leaves with its last client; false for an `up`, which stays. */
  owned: boolean;
  /** Pids of the worker processes at this moment. */
  workers(): number[];
  /** Resolves when the host has gone, asked for or not. */
  gone: Promise<void>;
  /** Lets go. When this was the last hold on an ephemeral host, waits until everything has stopped. Harmless to repeat. */
  release(): Promise<void>;
}

export interface AttachOptions {
  /** Brings a host when nobody serves the data directory. */
  embed: boolean;
  /** Handed to a host that this call brings; for tests. */
  host?: Pick<HostOptions, 'workers' | 'entries'>;
}

const START_TIMEOUT_MS = 60_000;
const LOOK_AGAIN_MS = 20;
const RELEASE_TIMEOUT_MS = 20_000;

/**
 * Attaches to the live host of the data directory. Without one: brings an ephemeral host when `embed` is set; else resolves null, or for
 * an external Temporal a lease without a host. Of any number of concurrent callers one brings the host and all attach. Client side.
 */
export async function attachHost(config: ResolvedConfig, options: AttachOptions): Promise<HostLease | null> {
  if (options.embed) prepareDataDir(config.dataDir);
  else checkFormat(config.dataDir);
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    const lease = await holdOn(config.dataDir, deadline - performance.now());
    if (lease !== null) return lease;
    const holder = existsSync(config.dataDir) ? lockHolder(config.dataDir) : null;
    if (holder === null) {
      if (!options.embed) return config.temporal.mode === 'external' ? await leaseWithoutHost(config) : null;
      await bringHost({ config, options: options.host ?? {} });
      continue;
    }
    // It is about to listen, or about to go.
    if (performance.now() > deadline) throw new Nl2codeError('host-locked', `The data directory ${config.dataDir} is held by process ${holder.pid}, which does not answer.`);
    await delay(LOOK_AGAIN_MS);
  }
}

/** A lease from whoever listens, or null when nobody does. Throws what made the host's start fail. */
async function holdOn(dataDir: string, timeoutMs: number): Promise<HostLease | null> {
  const path = socketPath(dataDir);
  refuseForeign(path);
  const socket = connect(path);
  const timer = setTimeout(() => socket.destroy(), Math.max(timeoutMs, 1));
  const gone = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  let record: HostRecord | null = null;
  try {
    const first = await new Promise<HostMessage | null>((resolve) => {
      onLine(socket, (line) => {
        const message = readMessage(line);
        if (message?.kind === 'record') record = message.record;
        if (message !== null) resolve(message);
      });
      void gone.then(() => resolve(null));
    });
    if (first === null) return null;
    if (first.kind === 'failed') throw new Nl2codeError(first.code, first.message, { remedy: '' });
    // The hold ends with this process and does not keep it alive.
    socket.unref();
    return leaseOf(first.record, () => record?.workers ?? [], socket, gone);
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function readMessage(line: string): HostMessage | null {
  try {
    return JSON.parse(line) as HostMessage;
  } catch {
    return null;
  }
}

function leaseOf(record: HostRecord, workers: () => number[], socket: Socket, gone: Promise<void>): HostLease {
  let released: Promise<void> | null = null;
  const { address, namespace, taskQueue, modelUrl, uiUrl, pid, mode } = record;
  const release = async () => {
    socket.ref();
    if (!socket.destroyed) socket.write(`${LEAVE}\n`);
    const timer = setTimeout(() => socket.destroy(), RELEASE_TIMEOUT_MS);
    await gone;
    clearTimeout(timer);
  };
  return { address, namespace, taskQueue, modelUrl, uiUrl, hostPid: pid, owned: mode === 'ephemeral', workers, gone, release: () => (released ??= release()) };
}

async function leaseWithoutHost(config: ResolvedConfig): Promise<HostLease> {
  const { connectOptions } = await import('../temporal-connection.js');
  const address = connectOptions(config).address ?? '';
  return { address, namespace: config.namespace, taskQueue: config.taskQueue, modelUrl: null, uiUrl: null, hostPid: null, owned: false, workers: () => [], gone: new Promise(() => undefined), release: async () => undefined };
}

/** The record knows best: a host started under another TMPDIR may listen elsewhere. */
function socketPath(dataDir: string): string {
  try {
    const { socket } = JSON.parse(readFileSync(join(dataDir, 'host.json'), 'utf8')) as { socket?: unknown };
    if (typeof socket === 'string' && socket !== '') return socket;
  } catch {
    // No host, or one that has not written it yet.
  }
  return hostSocketPath(dataDir);
}

/** Starts a host process and waits until it listens or finds that another does. */
async function bringHost(handed: HostProcessConfig): Promise<void> {
  const logFile = join(handed.config.dataDir, 'logs', 'host.log');
  const log = openLog(logFile);
  const env = { ...process.env, NL2CODE_HOST_CONFIG: JSON.stringify(handed) };
  const child = spawn(process.execPath, [script('embedded/host-main.js')], { detached: true, cwd: handed.config.dataDir, env, stdio: ['ignore', log, log, 'ipc'] });
  closeSync(log);
  const message = await new Promise<HostProcessMessage | null>((resolve) => {
    child.on('message', (value) => resolve(value as HostProcessMessage));
    child.on('error', () => resolve(null));
    child.on('exit', () => resolve(null));
  });
  if (child.connected) child.disconnect();
  child.unref();
  if (message === null) throw new Nl2codeError('host-failed', `The host process can't be started: ${lastLine(logFile) || 'it said nothing'}.`);
  if (message.kind === 'failed') throw new Nl2codeError(message.code, message.message, { remedy: '' });
}
