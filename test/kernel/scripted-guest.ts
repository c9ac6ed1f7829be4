import { createHash } from 'node:crypto';
import { duplexPair, type Duplex } from 'node:stream';
import { encodeFrame, FrameDecoder, type Frame } from '../../src/kernel/frame-codec.js';
import type { SandboxBackend, SandboxRef, SandboxSpec } from '../../src/sandbox/backend.js';
import type { RestoreReport } from '../../src/session/restore-report.js';

export const REPLY = { ended: 'ok', stdout: { text: '', omitted: 0 }, stderr: { text: '', omitted: 0 }, result: null, displays: [], error: null, ms: 1, restored: null, unsaved: null };
export const REPORT: RestoreReport = { head: 0, variables: 1, recomputed: [], unproved: [], lost: [], notes: [], ms: 2 };

interface Exec {
  k: number;
  sha: string;
  code: string;
  timeoutMs: number;
  epoch: [number, number];
  maxRuns?: number;
}

/**
 * A backend whose one sandbox keeps the rules of the ledger and runs no Python: committed cells live as long as nobody takes them away. What a
 * cell does besides is said by the test.
 */
export class ScriptedGuest implements SandboxBackend {
  readonly name = 'scripted';
  readonly promises = {} as SandboxBackend['promises'];
  /** Digests of the codes of committed cells. */
  committed: string[] = [];
  /** What happened, in order. */
  readonly told: string[] = [];
  alive = false;
  /** Says frames before the end of a cell, or answers in its place by giving true. */
  during: (cell: Exec, say: (...frames: object[]) => void) => boolean | void | Promise<boolean | void> = () => undefined;
  /** What a reply has beside the usual. */
  reply: (cell: Exec) => object = () => ({});
  saved: (cell: Exec) => string = () => 'local';
  answersPings = true;
  #streams: Duplex[] = [];
  #results: ((frame: Frame['header']) => void)[] = [];

  async probe() {
    return { available: true, isolation: 'none' as const, memoryLimit: 'none' as const, detail: '' };
  }

  async create({ id, folder }: SandboxSpec): Promise<SandboxRef> {
    const adopted = this.alive;
    this.alive = true;
    return { backend: this.name, id, folder, adopted };
  }

  async connect(ref: SandboxRef): Promise<Duplex> {
    const [host, guest] = duplexPair();
    const decoder = new FrameDecoder();
    this.#streams.push(guest);
    guest.on('error', () => undefined);
    guest.on('data', (bytes: Buffer) => {
      for (const { header } of decoder.push(bytes)) void this.#heard(header, ref, (...frames) => frames.forEach((frame) => guest.writable && guest.write(encodeFrame(frame))));
    });
    return host;
  }

  async #heard(header: Frame['header'], ref: SandboxRef, say: (...frames: object[]) => void): Promise<void> {
    switch (header.type) {
      case 'hello':
        return say({ type: 'welcome', protocol: 2, bootId: 'b', session: ref.id, head: this.head, running: null, python: '3', packages: {} });
      case 'ping':
        return this.answersPings ? say({ type: 'pong', n: header.n }) : undefined;
      case 'tool-result':
        return this.#results.shift()?.(header);
      case 'exec':
        return this.#exec(header as unknown as Exec, say);
    }
  }

  /** The next answer to a call of a tool. */
  result(): Promise<Frame['header']> {
    return new Promise((resolve) => this.#results.push(resolve));
  }

  get head(): number {
    return this.committed.length - 1;
  }

  async #exec(cell: Exec, say: (...frames: object[]) => void): Promise<void> {
    const { k, sha, code } = cell;
    const done = (cached: boolean) => say({ type: 'done', k, sha, cached, saved: this.saved(cell), reply: { ...REPLY, ...this.reply(cell) }, attachments: [] });
    if (k === this.head && this.committed[k] === sha) return done(true);
    if (k !== this.head + 1) {
      this.told.push(`conflict ${k}`);
      return say({ type: 'refused', k, code: 'conflict', head: this.head, message: `Cell ${k} does not follow.` });
    }
    this.told.push(`run ${k} ${code}`);
    if ((await this.during(cell, say)) === true) return;
    this.committed[k] = sha;
    done(false);
  }

  async destroy(): Promise<void> {
    this.told.push('destroy');
    this.die();
  }

  async rollBack(_spec: unknown, k: number): Promise<void> {
    this.told.push(`roll back to ${k}`);
    this.die();
    this.committed.length = Math.min(k, this.committed.length);
  }

  /** Ends as a sandbox that is killed does: its streams with it. */
  die(): void {
    this.alive = false;
    for (const stream of this.#streams.splice(0)) stream.end();
  }

  async close(): Promise<void> {
    this.die();
  }
}

export const shaOf = (code: string): string => createHash('sha256').update(code).digest('hex');
