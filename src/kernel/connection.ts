import { hash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { Nl2codeError } from '../session/error-table.js';
import { encodeFrame, FrameDecoder, FrameError } from './frame-codec.js';
import { toGuestFrame } from './guest-frames.js';
import { PROTOCOL_VERSION, type Epoch, type GuestFrame, type HostFrame, type WireReply } from './protocol.js';

export type Welcome = Extract<GuestFrame, { type: 'welcome' }>;
export type Refusal = Extract<GuestFrame, { type: 'refused' }>;

export interface CellRequest {
  k: number;
  code: string;
  timeoutMs: number;
  maxOutputChars: number;
  epoch: Epoch;
}

export type CellOutcome =
  { kind: 'done'; reply: WireReply; attachments: Buffer[]; cached: boolean } | { kind: 'refused'; refusal: Refusal };

export type OnOutput = (stream: 'stdout' | 'stderr', text: string) => void;

/** The stream ended before the guest answered; the cell may run on. Ask again on another stream. */
export class StreamCut extends Error {
  override readonly name = 'StreamCut';
}

/** Live output of one cell that the host takes; a guest that sends more breaks the rules. */
const MAX_LIVE_CHARS = 4 << 20;
const MAX_LIVE_FRAMES = 1 << 18;
const HELLO_MS = 15_000;

interface Waiting {
  cell: CellRequest;
  sha: string;
  onOutput: OnOutput | undefined;
  /** Next number of an `out` frame that was not delivered yet. */
  nextSeq: number;
  chars: number;
  frames: number;
  resolve(outcome: CellOutcome): void;
  reject(error: Error): void;
}

/**
 * One stream to a guest. Owns the stream from `open` on; the guest owns the ledger, so what was asked here can be asked again
 * on another stream. The host says hello, exec, interrupt and ping; the guest answers welcome, out, done, refused and pong.
 *
 * Invariants:
 * (1) nothing is sent before the guest has welcomed this session in this version of the protocol;
 * (2) one cell at a time; each `exec` settles exactly once: an answer, `StreamCut`, or the error that closed the stream;
 * (3) a frame that breaks a rule closes the stream with an error that names the rule, and nothing of it is used;
 * (4) an answer for another cell or other code is never taken for this one's;
 * (5) output is delivered in order and once per connection, and never after the answer.
 */
export class KernelConnection {
  readonly welcome: Welcome;
  readonly #stream: Duplex;
  readonly #pings = new Map<number, { resolve(): void; reject(error: Error): void }>();
  #waiting: Waiting | null = null;
  #ended: Error | null = null;
  #pingNumber = 0;

  private constructor(stream: Duplex, frames: FrameSource, welcome: Welcome) {
    this.#stream = stream;
    this.welcome = welcome;
    frames.handle(
      (frame, attachments) => this.#take(frame, attachments),
      (error) => this.#end(error),
    );
  }

  /** Says hello and waits for the welcome. Throws `fenced`, `sandbox-lost` or `FrameError`, with the stream destroyed. */
  static async open(stream: Duplex, hello: { session: string; epoch: Epoch }): Promise<KernelConnection> {
    const frames = new FrameSource(stream);
    try {
      send(stream, { type: 'hello', protocol: PROTOCOL_VERSION, ...hello });
      const welcome = await frames.first(HELLO_MS);
      if (welcome.type === 'refused') throw refusalError(welcome);
      if (welcome.type !== 'welcome') throw new FrameError(`The guest answered hello with ${welcome.type}.`);
      if (welcome.protocol !== PROTOCOL_VERSION)
        throw new FrameError(`The guest speaks version ${welcome.protocol} of the protocol, not ${PROTOCOL_VERSION}.`);
      if (welcome.session !== hello.session)
        throw new FrameError(
          `The guest belongs to ${JSON.stringify(welcome.session)}, not to ${JSON.stringify(hello.session)}.`,
        );
      return new KernelConnection(stream, frames, welcome);
    } catch (error) {
      stream.destroy();
      throw error;
    }
  }

  get open(): boolean {
    return this.#ended === null;
  }

  get busy(): boolean {
    return this.#waiting !== null;
  }

  /** Runs cell `k` or learns its result. Rejects with `StreamCut` or `FrameError`. */
  exec(cell: CellRequest, onOutput?: OnOutput): Promise<CellOutcome> {
    if (this.#ended) return Promise.reject(this.#ended);
    if (this.#waiting) return Promise.reject(new Error('A connection runs one cell at a time.'));
    // UTF-8 can't carry half a surrogate pair, and the hash must be of what the guest gets.
    const code = cell.code.replace(/\p{Surrogate}/gu, '\ufffd');
    const sha = hash('sha256', code);
    return new Promise((resolve, reject) => {
      this.#waiting = { cell, sha, onOutput, nextSeq: 0, chars: 0, frames: 0, resolve, reject };
      try {
        send(this.#stream, { type: 'exec', ...cell, sha, code });
      } catch (error) {
        this.#waiting = null;
        reject(error as Error);
      }
    });
  }

  /** Asks the guest to end the running cell `k`; its `exec` settles with what comes of it. */
  interrupt(k: number): void {
    if (!this.#ended) send(this.#stream, { type: 'interrupt', k });
  }

  /** Resolves when the guest has answered; rejects when the stream ends. */
  ping(): Promise<void> {
    if (this.#ended) return Promise.reject(this.#ended);
    const n = ++this.#pingNumber;
    return new Promise((resolve, reject) => {
      this.#pings.set(n, { resolve, reject });
      send(this.#stream, { type: 'ping', n });
    });
  }

  /** Closes the stream; the guest and its cell go on. */
  close(): void {
    this.#end(new StreamCut('The stream was closed.'));
  }

  #take(frame: GuestFrame, attachments: Buffer[]): void {
    switch (frame.type) {
      case 'out':
        return this.#output(frame);
      case 'done':
        return this.#done(frame, attachments);
      case 'refused':
        // Late refusals of a cell that was answered, or of an interrupt that came too late, change nothing.
        if (this.#waiting && (frame.k === this.#waiting.cell.k || frame.code === 'protocol'))
          this.#settle({ kind: 'refused', refusal: frame });
        return;
      case 'pong':
        this.#pings.get(frame.n)?.resolve();
        this.#pings.delete(frame.n);
        return;
      case 'welcome':
        throw new FrameError('The guest sent a second welcome.');
    }
  }

  #output({ k, seq, stream, text }: Extract<GuestFrame, { type: 'out' }>): void {
    const waiting = this.#waiting;
    if (!waiting || waiting.cell.k !== k || seq < waiting.nextSeq) return;
    waiting.nextSeq = seq + 1;
    waiting.chars += text.length;
    waiting.frames += 1;
    if (waiting.chars > MAX_LIVE_CHARS || waiting.frames > MAX_LIVE_FRAMES)
      throw new FrameError(`The guest sent more than ${MAX_LIVE_CHARS} characters of live output for one cell.`);
    waiting.onOutput?.(stream, text);
  }

  #done(frame: Extract<GuestFrame, { type: 'done' }>, attachments: Buffer[]): void {
    const waiting = this.#waiting;
    if (!waiting || frame.k !== waiting.cell.k) return;
    if (frame.sha !== waiting.sha)
      throw new FrameError(`The guest answered cell ${frame.k} with the result of other code.`);
    this.#settle({ kind: 'done', reply: frame.reply, attachments, cached: frame.cached });
  }

  #settle(outcome: CellOutcome): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.resolve(outcome);
  }

  #end(error: Error): void {
    if (this.#ended) return;
    this.#ended = error;
    for (const { reject } of this.#pings.values()) reject(error);
    this.#pings.clear();
    this.#stream.destroy();
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.reject(error);
  }
}

/** The error for a refusal that no other stream would answer differently. */
export function refusalError({ code, message, k }: Refusal): Nl2codeError {
  if (code === 'fenced') return new Nl2codeError('fenced', `The sandbox is held by a later attempt: ${message}`);
  if (code === 'busy')
    return new Nl2codeError('sandbox-lost', `The kernel can't take the cell now: ${message}`, {
      remedy: 'It is asked again.',
    });
  if (code === 'conflict')
    return new Nl2codeError('store-corrupt', `Cell ${k} does not follow what the kernel has run: ${message}`, {
      remedy: '',
    });
  return new Nl2codeError('sandbox-lost', `The guest refused: ${message}`);
}

function send(stream: Duplex, frame: HostFrame): void {
  stream.write(encodeFrame(frame));
}

type OnFrame = (frame: GuestFrame, attachments: Buffer[]) => void;

/** Reads frames off a stream for whoever handles them at the moment; what breaks a rule ends the stream. */
class FrameSource {
  readonly #stream: Duplex;
  readonly #decoder = new FrameDecoder();
  readonly #early: { frame: GuestFrame; attachments: Buffer[] }[] = [];
  #onFrame: OnFrame = (frame, attachments) => void this.#early.push({ frame, attachments });
  #onEnd: (error: Error) => void = (error) => (this.#ended = error);
  #ended: Error | null = null;

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on('data', (chunk: Buffer) => this.#read(chunk));
    stream.on('error', (cause) => this.#onEnd(new StreamCut('The stream failed.', { cause })));
    stream.on('close', () => this.#onEnd(new StreamCut('The guest closed the stream.')));
    stream.on('end', () => stream.destroy());
  }

  /** The next frame. */
  first(withinMs: number): Promise<GuestFrame> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Nl2codeError('sandbox-lost', `The guest did not say hello within ${withinMs / 1000} s.`)),
        withinMs,
      );
      this.handle(
        (frame) => {
          clearTimeout(timer);
          this.#onFrame = (next, attachments) => void this.#early.push({ frame: next, attachments });
          resolve(frame);
        },
        (error) => {
          clearTimeout(timer);
          reject(error);
        },
      );
    });
  }

  handle(onFrame: OnFrame, onEnd: (error: Error) => void): void {
    this.#onFrame = onFrame;
    this.#onEnd = (error) => {
      this.#ended = error;
      onEnd(error);
    };
    if (this.#ended) return onEnd(this.#ended);
    for (const { frame, attachments } of this.#early.splice(0)) this.#deliver(frame, attachments);
  }

  #read(chunk: Buffer): void {
    try {
      for (const raw of this.#decoder.push(chunk)) {
        const { frame, attachments } = toGuestFrame(raw);
        this.#onFrame(frame, attachments);
      }
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #deliver(frame: GuestFrame, attachments: Buffer[]): void {
    try {
      this.#onFrame(frame, attachments);
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #fail(error: Error): void {
    this.#onEnd(error);
    this.#stream.destroy();
  }
}
