/**
 * The wire between host and guest, version 1; docs/kernel-protocol.md is its text.
 * A frame is: u32 big-endian header length, u32 big-endian body length, header (UTF-8 JSON object with a `type`), body (bytes).
 * Attachments lie one after another in the body; the header lists their sizes in `attachments`.
 * The guest ends a stream with shutdown(2) before it closes it: the supervisor beside it holds a duplicate until the host hangs up.
 * Everything from the guest is hostile: sizes are capped, shapes are checked, nothing is trusted but the channel.
 */
export const PROTOCOL_VERSION = 1;
export const MAX_HEADER_BYTES = 4 << 20;
export const MAX_BODY_BYTES = 64 << 20;

/** `(scheduled time in ms, attempt)` of the activity that speaks; a lower one is fenced. */
export type Epoch = [number, number];

export type HostFrame =
  | { type: 'hello'; protocol: number; session: string; epoch: Epoch }
  /** Run cell `k`, or learn its result: the ledger answers a cell that ran, attaches to one that runs, refuses what does not follow. */
  | { type: 'exec'; k: number; sha: string; code: string; timeoutMs: number; maxOutputChars: number; epoch: Epoch }
  | { type: 'interrupt'; k: number }
  | { type: 'ping'; n: number };

export interface WireText {
  text: string;
  omitted: number;
}

export interface WireDisplay {
  text: Record<string, WireText>;
  /** MIME type → index into the frame's attachments. */
  images: Record<string, number>;
  shape?: WireShape | undefined;
}

/** What a value is, without what it holds. Hostile, as all of the kernel's words: names may be data. */
export interface WireShape {
  type: string;
  /** Rows and columns, the dimensions of an array, or a length. */
  size?: number[] | undefined;
  dtype?: string | undefined;
  /** Name and type of each column. */
  columns?: string[][] | undefined;
}

export interface WireReply {
  ended: 'ok' | 'error' | 'timeout' | 'interrupted' | 'kernel-died';
  stdout: WireText;
  stderr: WireText;
  result: WireDisplay | null;
  displays: WireDisplay[];
  error: { type: string; message: string; traceback: string } | null;
  ms: number;
  freshKernel: boolean;
}

export type GuestFrame =
  | { type: 'welcome'; protocol: number; bootId: string; session: string; /** Last cell in the ledger, -1 when none. */ head: number; running: number | null; python: string; packages: Record<string, string> }
  | { type: 'out'; k: number; seq: number; stream: 'stdout' | 'stderr'; text: string }
  | { type: 'done'; k: number; sha: string; /** True when the ledger answered. */ cached: boolean; reply: WireReply; attachments: number[] }
  | { type: 'refused'; k: number; code: 'conflict' | 'fenced' | 'busy' | 'protocol'; head: number; message: string }
  | { type: 'pong'; n: number };
