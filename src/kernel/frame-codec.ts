import { MAX_BODY_BYTES, MAX_HEADER_BYTES } from './protocol.js';

/** One message as it came over the wire: nothing of it is checked but its form. */
export interface Frame {
  header: Record<string, unknown> & { type: string };
  body: Buffer;
}

/** The peer broke a rule of the wire; the message names the rule. The stream can't be read further. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

export const MAX_DEPTH = 64;
const LENGTHS_BYTES = 8;
const EMPTY = Buffer.alloc(0);
const UTF_8 = new TextDecoder('utf-8', { fatal: true });

/** Encodes one frame. Throws `FrameError` when it would be larger than a peer accepts. */
export function encodeFrame(header: object, body: Buffer = EMPTY): Buffer {
  const text = JSON.stringify(header);
  const length = Buffer.byteLength(text, 'utf8');
  if (length > MAX_HEADER_BYTES)
    throw new FrameError(`A header of ${length} bytes is larger than ${MAX_HEADER_BYTES}.`);
  if (body.length > MAX_BODY_BYTES)
    throw new FrameError(`A body of ${body.length} bytes is larger than ${MAX_BODY_BYTES}.`);
  const frame = Buffer.allocUnsafe(LENGTHS_BYTES + length + body.length);
  frame.writeUInt32BE(length, 0);
  frame.writeUInt32BE(body.length, 4);
  frame.write(text, LENGTHS_BYTES, 'utf8');
  body.copy(frame, LENGTHS_BYTES + length);
  return frame;
}

/**
 * Cuts a byte stream into frames, however it arrives. Holds at most one frame: sizes are refused before their bytes are kept.
 * After an error it refuses everything.
 */
export class FrameDecoder {
  #chunks: Buffer[] = [];
  #held = 0;
  #broken: FrameError | undefined;
  readonly #maxHeader: number;
  readonly #maxBody: number;

  constructor(caps: { maxHeaderBytes?: number; maxBodyBytes?: number } = {}) {
    this.#maxHeader = caps.maxHeaderBytes ?? MAX_HEADER_BYTES;
    this.#maxBody = caps.maxBodyBytes ?? MAX_BODY_BYTES;
  }

  /** Takes bytes and returns the frames they complete. Throws `FrameError`. */
  push(chunk: Buffer): Frame[] {
    if (this.#broken) throw this.#broken;
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    try {
      const frames: Frame[] = [];
      for (let frame = this.#next(); frame; frame = this.#next()) frames.push(frame);
      return frames;
    } catch (error) {
      this.#chunks = [];
      this.#broken =
        error instanceof FrameError ? error : new FrameError('A frame could not be read.', { cause: error });
      throw this.#broken;
    }
  }

  /** Throws `FrameError` when the stream ended within a frame. */
  end(): void {
    if (!this.#broken && this.#held > 0) throw new FrameError('The stream ended within a frame.');
  }

  #next(): Frame | null {
    if (this.#held < LENGTHS_BYTES) return null;
    const lengths = this.#peek(LENGTHS_BYTES);
    const headerBytes = lengths.readUInt32BE(0);
    const bodyBytes = lengths.readUInt32BE(4);
    if (headerBytes < 2 || headerBytes > this.#maxHeader)
      throw new FrameError(`A header of ${headerBytes} bytes is outside 2 to ${this.#maxHeader}.`);
    if (bodyBytes > this.#maxBody)
      throw new FrameError(`A body of ${bodyBytes} bytes is larger than ${this.#maxBody}.`);
    const total = LENGTHS_BYTES + headerBytes + bodyBytes;
    if (this.#held < total) return null;
    const bytes = this.#take(total);
    return {
      header: decodeHeader(bytes.subarray(LENGTHS_BYTES, LENGTHS_BYTES + headerBytes)),
      body: bytes.subarray(LENGTHS_BYTES + headerBytes),
    };
  }

  #peek(count: number): Buffer {
    const [first] = this.#chunks;
    if (first && first.length >= count) return first;
    // Joined once: a peer that sends single bytes must not make every look at the lengths copy all that is held.
    this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0]!;
  }

  #take(count: number): Buffer {
    const [first] = this.#chunks;
    const all = first && first.length >= count ? first : Buffer.concat(this.#chunks);
    const rest = all.length > count ? [all.subarray(count)] : [];
    this.#chunks = all === first ? [...rest, ...this.#chunks.slice(1)] : rest;
    this.#held -= count;
    return all.subarray(0, count);
  }
}

function decodeHeader(bytes: Buffer): Frame['header'] {
  checkDepth(bytes);
  let value: unknown;
  try {
    const text = UTF_8.decode(bytes);
    // A reviver costs more than all the rest; only these can spell the member's name.
    value = /__proto__|\\u/.test(text) ? JSON.parse(text, withoutPrototype) : JSON.parse(text);
  } catch (cause) {
    throw new FrameError('A header is not JSON.', { cause });
  }
  if (
    value === null ||
    typeof value !== 'object' ||
    Array.isArray(value) ||
    typeof (value as { type?: unknown }).type !== 'string'
  ) {
    throw new FrameError('A header is not an object with a type.');
  }
  return value as Frame['header'];
}

/** A member called `__proto__` must stay a member. */
function withoutPrototype(_key: string, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.assign(Object.create(null), value) as unknown;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPENING = new Set([0x5b, 0x7b]);
const CLOSING = new Set([0x5d, 0x7d]);

function checkDepth(bytes: Buffer): void {
  let depth = 0;
  let inText = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (inText) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) inText = false;
    } else if (byte === QUOTE) inText = true;
    else if (OPENING.has(byte)) {
      if (++depth > MAX_DEPTH) throw new FrameError(`A header is nested deeper than ${MAX_DEPTH}.`);
    } else if (CLOSING.has(byte)) depth--;
  }
}
