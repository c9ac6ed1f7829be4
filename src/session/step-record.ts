import type { Fact } from './facts.js';
import type { Hash, Json, TextRef } from './json.js';
import type { Saved } from './restore-report.js';
import type { StepKind } from './step.js';
import type { Spent } from './usage.js';

/** One link of the session chain: a content-addressed blob that names its parent. Holds no session id, so that a fork shares it. */
export interface StepRecord {
  v: 1;
  parent: Hash | null;
  seq: number;
  kind: StepKind;
  ask?: string;
  /** What replay compares (with kind, ask and facts). */
  args: Json;
  facts: Fact[];
  /** What replay answers with. */
  value: Json;
  refs: {
    /** The model's reply: JSON of `ModelReply`. */
    reply?: TextRef;
    /** The code that ran. */
    code?: Hash;
    /** What was seen: JSON of `Observation`. */
    observation?: TextRef;
    /** Of an opened request: the tools that its code may call, JSON of `BridgedTool[]`. */
    tools?: TextRef;
    /** What a look at the inputs found that must not be read: JSON for `Sensitive`. Never sent. */
    sensitive?: Hash;
    /** Of a cell: its manifest in the session's kernel, and how that was kept when the cell was answered. */
    kernel?: { manifest: number; saved: Saved };
  };
  /** The model request, as a difference to that of record `base`; `sha` is of the exact whole. */
  sent?: { base: Hash | null; add: TextRef; sha: Hash; /** Tokens the prompt was kept within after the endpoint had refused a longer one. */ within?: number };
  spent: Spent;
  /** Unix time in milliseconds. */
  startedAt: number;
  ms: number;
}
