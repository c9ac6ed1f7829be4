import { hash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { Nl2codeError } from '../session/error-table.js';
import { encodeFrame, FrameError } from './frame-codec.js';
import { FrameSource, StreamCut } from './frame-source.js';
import { PROTOCOL_VERSION, type Epoch, type GuestFrame, type HostFrame, type WireReply } from './protocol.js';
import type { Saved } from '../session/restore-report.js';
import { answerTo } from './tool-answer.js';
import type { OnTool, ToolAnswer } from './tool-call.js';

export { StreamCut };

export type Welcome = Extract<GuestFrame, { type: 'welcome' }>;
export type Refusal = Extract<GuestFrame, { type: 'refused' }>;

export interface CellRequest {
  k: number;
  code: string;
  timeoutMs: number;
  maxOutputChars: number;
  epoch: Epoch;
  maxRuns?: number | undefined;
}

export type CellOutcome =
  | { kind: 'done'; reply: WireReply; attachments: Buffer[]; cached: boolean; saved: Saved }
  | { kind: 'refused'; refusal: Refusal };

/** What is heard of a cell before its answer. */
export interface CellHooks {
  onOutput?: ((stream: 'stdout' | 'stderr', text: string) => void) | undefined;
  /** Its kernel died, and it runs again from the state before it; its output begins anew. `run` counts from 1. */
  onAgain?: ((again: { k: number; run: number; message: string }) => void) | undefined;
  /** Answers its calls of tools; without it every call is answered with an error. */
  onTool?: OnTool | undefined;
}

/** Live output of one cell that the host takes; a guest that sends more breaks the rules. */
const MAX_LIVE_CHARS = 4 << 20;
const MAX_LIVE_FRAMES = 1 << 18;
/** How often a cell may run again before the guest has to give it up, calls it may leave unanswered, and bytes it may leave unread. */
const MAX_RUNS = 8;
const MAX_UNANSWERED = 256;
const MAX_UNREAD_BYTES = 96 << 20;
const HELLO_MS = 15_000;

interface Waiting {
  cell: CellRequest;
  sha: string;
  hooks: CellHooks;
  run: Run;
  runs: number;
  resolve(outcome: CellOutcome): void;
  reject(error: Error): void;
}

/** One run of the cell: what is counted anew when it runs again. */
interface Run {
  /** Next number of an `out` frame that was not delivered yet. */
  nextSeq: number;
  chars: number;
  frames: number;
  unanswered: number;
}

const newRun = (): Run => ({ nextSeq: 0, chars: 0, frames: 0, unanswered: 0 });

/**
 * One stream to a guest. Owns the stream from `open` on; the guest owns the ledger, so what was asked here can be asked again
 * on another stream. The host says hello, exec, interrupt, tool-result and ping; the guest answers welcome, out, again, tool, done,
 * saved, refused and pong.
 *
 * Invariants:
 * (1) nothing is sent before the guest has welcomed this session in this version of the protocol;
 * (2) one cell at a time; each `exec` settles exactly once: an answer, `StreamCut`, or the error that closed the stream;
 * (3) a frame that breaks a rule closes the stream with an error that names the rule, and nothing of it is used;
 * (4) an answer for another cell or other code is never taken for this one's;
 * (5) output is delivered in order and once per connection and run, and never after the answer;
 * (6) a call of a tool is answered to the run that made it, or not at all.
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
  exec(cell: CellRequest, hooks: CellHooks = {}): Promise<CellOutcome> {
    if (this.#ended) return Promise.reject(this.#ended);
    if (this.#waiting) return Promise.reject(new Error('A connection runs one cell at a time.'));
    // UTF-8 can't carry half a surrogate pair, and the hash must be of what the guest gets.
    const code = cell.code.replace(/\p{Surrogate}/gu, '\ufffd');
    const sha = hash('sha256', code);
    return new Promise((resolve, reject) => {
      this.#waiting = { cell, sha, hooks, run: newRun(), runs: 1, resolve, reject };
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
      case 'again':
        return this.#again(frame);
      case 'tool':
        return this.#tool(frame);
      case 'done':
        return this.#done(frame, attachments);
      case 'saved':
        // Nobody waits for it: what is not kept yet is caught up on where it is missed.
        return;
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
    if (!waiting || waiting.cell.k !== k || seq < waiting.run.nextSeq) return;
    const { run, hooks } = waiting;
    run.nextSeq = seq + 1;
    run.chars += text.length;
    run.frames += 1;
    if (run.chars > MAX_LIVE_CHARS || run.frames > MAX_LIVE_FRAMES)
      throw new FrameError(`The guest sent more than ${MAX_LIVE_CHARS} characters of live output for one cell.`);
    hooks.onOutput?.(stream, text);
  }

  #again({ k, run, message }: Extract<GuestFrame, { type: 'again' }>): void {
    const waiting = this.#waiting;
    if (!waiting || waiting.cell.k !== k) return;
    waiting.runs += 1;
    if (waiting.runs > MAX_RUNS) throw new FrameError(`The guest began cell ${k} more than ${MAX_RUNS} times.`);
    waiting.run = newRun();
    waiting.hooks.onAgain?.({ k, run, message });
  }

  #tool({ k, call, name, args, replay }: Extract<GuestFrame, { type: 'tool' }>): void {
    const waiting = this.#waiting;
    // While lost variables are computed again it is earlier cells that ask, for what is recorded.
    if (!waiting || (replay ? k > waiting.cell.k : k !== waiting.cell.k)) return;
    const { run, hooks } = waiting;
    run.unanswered += 1;
    if (run.unanswered > MAX_UNANSWERED)
      throw new FrameError(`Cell ${k} made more than ${MAX_UNANSWERED} calls that wait for an answer.`);
    const isOn = () => this.#waiting === waiting && waiting.run === run;
    answerTo({ k, call, name, args, replay }, hooks.onTool).then(
      (answer) => {
        run.unanswered -= 1;
        if (isOn()) this.#answer(k, call, answer);
      },
      (error: Error) => isOn() && this.#end(error),
    );
  }

  #answer(k: number, call: number, answer: ToolAnswer): void {
    if (this.#stream.writableLength > MAX_UNREAD_BYTES)
      return this.#end(new FrameError(`The guest left more than ${MAX_UNREAD_BYTES} bytes unread.`));
    const { ok } = answer;
    send(this.#stream, ok ? { type: 'tool-result', k, call, ok, value: answer.value } : { type: 'tool-result', k, call, ok, error: answer.error });
  }

  #done(frame: Extract<GuestFrame, { type: 'done' }>, attachments: Buffer[]): void {
    const waiting = this.#waiting;
    if (!waiting || frame.k !== waiting.cell.k) return;
    if (frame.sha !== waiting.sha)
      throw new FrameError(`The guest answered cell ${frame.k} with the result of other code.`);
    this.#settle({ kind: 'done', reply: frame.reply, attachments, cached: frame.cached, saved: frame.saved });
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
