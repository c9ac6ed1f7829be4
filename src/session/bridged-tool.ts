import type { Json } from './json.js';

/** A function of the host that code in a cell may call, as the model and the code are told of it. */
export interface BridgedTool {
  name: string;
  description: string;
  /** JSON schema of its arguments, an object. */
  parameters: { [key: string]: Json };
}

/** What a tool may be called: a name of Python that hides nothing of `nl2code.tools`. */
export const TOOL_NAME = /^(?!(?:call|list|and|as|assert|async|await|break|class|continue|def|del|elif|else|except|finally|for|from|global|if|import|in|is|lambda|nonlocal|not|or|pass|raise|return|try|while|with|yield)$)[a-z][a-z0-9_]{0,63}$/;

/** A call of which nobody knows whether it took effect. */
export interface UncertainCall {
  /** Number of the call in its cell, from 0. */
  call: number;
  name: string;
}

/** One call of a tool, as a trace shows it. Arguments and answers are data of the session. */
export interface ToolCallRecord {
  /** Number of the call in its cell, from 0. */
  call: number;
  name: string;
  args: Json;
  /** What the tool was given as its idempotency key; null where it was never run. */
  key: string | null;
  outcome: 'answered' | 'error' | 'uncertain';
  /** The answer, or what was raised in the cell. */
  value?: Json;
  error?: { type: string; message: string };
  /** Unix time in milliseconds at which it began, and how long it took; null where that was not recorded. */
  at: number;
  ms: number | null;
}
