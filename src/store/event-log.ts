import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import type { EventKind, SessionEvent } from '../session/event.js';
import type { Json } from '../session/json.js';
import type { StepKind } from '../session/step.js';

const CHUNK = 256 << 10;

/** Appends one attempt's events. A failure to write is never a failure of the step: the log is a view. */
export class EventWriter {
  private n = 0;
  constructor(
    private readonly path: string,
    private readonly key: { seq: number; attempt: number; step: StepKind },
  ) {}

  emit(kind: EventKind, data?: Json): void {
    const event: SessionEvent = { at: Date.now(), seq: this.key.seq, attempt: this.key.attempt, n: this.n++, kind, step: this.key.step, ...(data === undefined ? {} : { data }) };
    try {
      const fd = openSync(this.path, 'a', 0o600);
      writeSync(fd, `${JSON.stringify(event)}\n`);
      closeSync(fd);
    } catch {
      // The next reader sees less; the chain has everything that counts.
    }
  }
}

/** Events from a byte offset on, with the offset to resume at after all of them and after each. A line still being written is left for the next call. */
export function readEvents(path: string, from = 0): { events: SessionEvent[]; next: number; ends: number[] } {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return { events: [], next: from, ends: [] };
  }
  try {
    const parts: Buffer[] = [];
    let at = from;
    for (;;) {
      const chunk = Buffer.alloc(CHUNK);
      const n = readSync(fd, chunk, 0, CHUNK, at);
      if (n === 0) break;
      parts.push(chunk.subarray(0, n));
      at += n;
    }
    const bytes = Buffer.concat(parts);
    const end = bytes.lastIndexOf(0x0a) + 1;
    const events: SessionEvent[] = [];
    const ends: number[] = [];
    for (let start = 0; start < end; ) {
      const stop = bytes.indexOf(0x0a, start);
      try {
        events.push(JSON.parse(bytes.toString('utf8', start, stop)) as SessionEvent);
        ends.push(from + stop + 1);
      } catch {
        // Two writers of one attempt can't interleave a line, but a full disk can cut one short.
      }
      start = stop + 1;
    }
    return { events, next: from + end, ends };
  } finally {
    closeSync(fd);
  }
}
