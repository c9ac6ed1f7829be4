import type { Duplex } from 'node:stream';
import { Nl2codeError } from '../session/error-table.js';
import { FrameDecoder } from './frame-codec.js';
import { toGuestFrame } from './guest-frames.js';
import type { GuestFrame } from './protocol.js';

/** The stream ended before the guest answered; the cell may run on. Ask again on another stream. */
export class StreamCut extends Error {
  override readonly name = 'StreamCut';
}

type OnFrame = (frame: GuestFrame, attachments: Buffer[]) => void;

/** Reads frames off a stream for whoever handles them at the moment; what breaks a rule ends the stream. */
export class FrameSource {
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
