import type { z } from 'zod';
import type { Json } from '../session/json.js';

/** What a call is made under. */
export interface ToolCallContext {
  /** The same whenever this call is repeated, and of no other call: hand it on as an idempotency key. ASCII, 48 characters. */
  key: string;
  /** Id of the session that calls. */
  session: string;
  /** Aborts when the cell is over, or the tool has taken longer than its `timeoutMs`. */
  signal: AbortSignal;
}

/**
 * A function of yours that code in a cell may call by name. It runs in the worker, outside of the sandbox, with all the worker may do:
 * its arguments come from generated code. Each call takes effect at most once, also when its cell runs again; see `idempotency`.
 */
export interface Tool {
  /** A Python name in lower case; code calls `nl2code.tools.NAME(argument=value)`. */
  name: string;
  /** For the model: what it does, what it returns, when to call it. */
  description: string;
  /** Arguments: a zod object, or the JSON schema of an object. Arguments that are not in it are refused, unless it says otherwise. */
  parameters: z.ZodType | { [key: string]: Json };
  /**
   * What may be done when a worker died in a call, so that nobody knows whether it took effect. `key`: `run` is called again with the same
   * key, and whoever takes the effect ignores a key that it knows; right too for what changes nothing. `none`: the code is told that it is
   * uncertain, and nothing is done again.
   */
  idempotency: 'key' | 'none';
  /** How long it may take; 60,000 when missing. */
  timeoutMs?: number;
  /** Returns JSON of at most 1 MiB, or nothing. What it throws is told to the code: its message's first line, without what looks like a secret. */
  run(args: Record<string, unknown>, call: ToolCallContext): unknown;
}

/** A tool whose `run` gets what its zod schema makes of the arguments. */
export function defineTool<S extends z.ZodObject>(tool: Omit<Tool, 'parameters' | 'run'> & { parameters: S; run(args: z.output<S>, call: ToolCallContext): unknown }): Tool {
  return tool as Tool;
}
