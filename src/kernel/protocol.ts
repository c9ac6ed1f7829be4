import type { Json } from '../session/json.js';
import type { RestoreReport, Saved } from '../session/restore-report.js';

/**
 * The wire between host and guest, version 2; docs/kernel-protocol.md is its text.
 * A frame is: u32 big-endian header length, u32 big-endian body length, header (UTF-8 JSON object with a `type`), body (bytes).
 * Attachments lie one after another in the body; the header lists their sizes in `attachments`.
 * The guest ends a stream with shutdown(2) before it closes it: the supervisor beside it holds a duplicate until the host hangs up.
 * Everything from the guest is hostile: sizes are capped, shapes are checked, nothing is trusted but the channel.
 */
export const PROTOCOL_VERSION = 2;
export const MAX_HEADER_BYTES = 4 << 20;
export const MAX_BODY_BYTES = 64 << 20;
/** The arguments of a tool call, and a restore report, as JSON. */
export const MAX_ARGS_BYTES = 1 << 20;
export const MAX_REPORT_BYTES = 64 << 10;

/** The step's place in its session, and the attempt that speaks; a lower one is fenced. */
export type Epoch = [number, number];

export type HostFrame =
  | { type: 'hello'; protocol: number; session: string; epoch: Epoch }
  /** Run cell `k`, or learn its result: the ledger answers a cell that ran, attaches to one that runs, refuses what does not follow. */
  | { type: 'exec'; k: number; sha: string; code: string; timeoutMs: number; maxOutputChars: number; epoch: Epoch; /** How often it is run before the death of its kernel is its result; at most, and without it, 3. */ maxRuns?: number | undefined }
  | { type: 'interrupt'; k: number }
  /** Answers a `tool` of the run that is on. */
  | { type: 'tool-result'; k: number; call: number; ok: true; value: Json }
  | { type: 'tool-result'; k: number; call: number; ok: false; error: { type: string; message: string } }
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
  /** Of the first cell of a kernel that was restored. */
  restored: RestoreReport | null;
  /** Why the state after the cell is not saved, as a sentence. */
  unsaved: string | null;
}

export type GuestFrame =
  | { type: 'welcome'; protocol: number; bootId: string; session: string; /** Last committed cell, -1 when none. */ head: number; running: number | null; python: string; packages: Record<string, string> }
  | { type: 'out'; k: number; seq: number; stream: 'stdout' | 'stderr'; text: string }
  | { type: 'done'; k: number; sha: string; /** True when the ledger answered. */ cached: boolean; saved: Saved; reply: WireReply; attachments: number[] }
  /** The kernel died under cell `k`, which runs again; its output starts at `seq` 0. */
  | { type: 'again'; k: number; run: number; /** How it died. */ message: string }
  /** A state that was pending is kept. */
  | { type: 'saved'; k: number }
  | { type: 'tool'; k: number; /** From 0 within a cell. */ call: number; name: string; args: Json; /** Only a recorded answer may be given. */ replay: boolean }
  | { type: 'refused'; k: number; code: 'conflict' | 'fenced' | 'busy' | 'protocol'; head: number; message: string }
  | { type: 'pong'; n: number };
