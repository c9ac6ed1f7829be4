import type { Json } from '../session/json.js';

/** A cell calls a tool of the host by name. Hostile: what it names and hands over was written by generated code. */
export interface ToolRequest {
  /** Number of the cell in its kernel. */
  k: number;
  /** Number of the call in its cell, from 0: a cell that runs again asks with the same numbers. */
  call: number;
  name: string;
  /** JSON of at most 1 MiB. */
  args: Json;
  /** A lost variable is computed again: only a recorded answer may be given, nothing may happen. */
  replay: boolean;
}

/** What a call came to. An error is raised in the cell as an exception that has this type as its name. */
export type ToolAnswer = { ok: true; value: Json } | { ok: false; error: { type: string; message: string } };

/**
 * Answers a call. What it throws becomes an error of the call, but for an `Nl2codeError`: that ends the stream and is thrown to who asked for
 * the cell, which goes on and asks its next host again. An answer that comes after its cell has ended is dropped.
 */
export type OnTool = (request: ToolRequest) => Promise<ToolAnswer>;
