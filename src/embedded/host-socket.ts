import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Nl2codeError, type ErrorCode } from '../session/error-table.js';
import type { HostRecord } from './host-record.js';

/** What a host tells its clients, one JSON line each: where it is reached, again whenever that changes, or why it could not start. */
export type HostMessage = { kind: 'record'; record: HostRecord } | { kind: 'failed'; code: ErrorCode; message: string };

/** What a client says before it goes, so that it can wait for the end of a host that leaves with it. */
export const LEAVE = 'leave';

/** A socket's name has 108 bytes with its final zero on Linux, 104 elsewhere. */
const MAX_NAME_BYTES = 103;

/** Longest thing a client may say. */
const MAX_SAID = 64;

/** Where the host of a data directory listens: in it, or under the temporary folder when that name would be too long. */
export function hostSocketPath(dataDir: string): string {
  const inside = join(dataDir, 'host.sock');
  if (Buffer.byteLength(inside) <= MAX_NAME_BYTES) return inside;
  const short = createHash('sha256').update(dataDir).digest('hex').slice(0, 16);
  return join(tmpdir(), `nl2code-${process.getuid?.() ?? 0}-${short}`, 'host.sock');
}

/** Where clients hold on to a host. A client is a connection; it is gone when the connection is, however that came. */
export class HostSocket {
  private readonly server: Server;
  private readonly clients = new Set<Socket>();
  private readonly leaving = new Set<Socket>();
  private last: string | null = null;

  constructor(
    readonly path: string,
    /** The last client has gone, having said so or not. */
    private readonly onEmpty: () => void,
  ) {
    this.server = createServer((socket) => this.accept(socket));
  }

  get clientCount(): number {
    return this.clients.size;
  }

  /** The caller holds the host lock, so a socket file that lies there has no listener. */
  async listen(): Promise<void> {
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
    refuseForeign(this.path);
    rmSync(this.path, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(this.path, resolve);
    });
  }

  /** Told to every client now and to those who come later. */
  publish(message: HostMessage): void {
    this.last = `${JSON.stringify(message)}\n`;
    for (const client of this.clients) client.write(this.last);
  }

  /** No new clients. Those who hold on keep their connection until `end`. */
  close(): void {
    this.server.close();
    rmSync(this.path, { force: true });
  }

  /** Ends every connection: the host is gone. */
  end(): void {
    for (const client of [...this.clients, ...this.leaving]) client.destroySoon();
  }

  private accept(socket: Socket): void {
    this.clients.add(socket);
    if (this.last !== null) socket.write(this.last);
    let said = '';
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      said += text;
      if (said.trim() === LEAVE) this.leave(socket);
      else if (said.length > MAX_SAID) socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.leaving.delete(socket);
      if (this.clients.delete(socket) && this.clients.size === 0) this.onEmpty();
    });
  }

  /** A client that is the last one keeps its connection until we are gone; others are let go at once. */
  private leave(socket: Socket): void {
    if (!this.clients.delete(socket)) return;
    this.leaving.add(socket);
    if (this.clients.size === 0) this.onEmpty();
    else socket.end();
  }

  /** Lets go of clients that wait for an end that does not come. */
  release(): void {
    for (const socket of this.leaving) socket.end();
  }
}

/** Anybody may have made the folder under the temporary one before us: then nothing is told there and nothing believed. */
export function refuseForeign(path: string): void {
  const folder = dirname(path);
  if (!folder.startsWith(join(tmpdir(), 'nl2code-'))) return;
  const found = lstatSync(folder, { throwIfNoEntry: false });
  if (found === undefined || process.getuid === undefined) return;
  if (!found.isDirectory() || found.uid !== process.getuid() || (found.mode & 0o077) !== 0) {
    throw new Nl2codeError('store-unwritable', `The folder ${folder} of the host's socket may be changed by others.`, { remedy: 'Remove it, or name a --data-dir with a shorter path.' });
  }
}
