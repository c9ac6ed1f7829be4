import type { ToolCallRecord } from '../session/bridged-tool.js';
import { cleanLine } from './clean.js';

const SHOWN_CALLS = 20;
const ARGS_CHARS = 120;
const SAID_CHARS = 200;

/** The calls of one cell, a line each: what was called with what, what came of it, and the key the tool was given. All of it may be hostile text. */
export function callLines(calls: readonly ToolCallRecord[]): string[] {
  const more = calls.length - SHOWN_CALLS;
  return [...calls.slice(0, SHOWN_CALLS).map(callLine), ...(more > 0 ? [`and ${more} more calls; nl2code show --trace has them`] : [])];
}

function callLine({ call, name, args, key, outcome, value, error, ms }: ToolCallRecord): string {
  const said = outcome === 'answered' ? short(value, ARGS_CHARS) : outcome === 'error' ? (error?.message ?? 'failed') : 'uncertain: nobody knows whether it took effect';
  return `call ${call}: ${cleanLine(name, 64)}(${short(args, ARGS_CHARS).replace(/^\{|\}$/g, '')}) → ${cleanLine(said, SAID_CHARS)}${ms === null ? '' : `  ${ms} ms`}${key === null ? '' : `  key ${key}`}`;
}

function short(value: unknown, chars: number): string {
  return cleanLine(JSON.stringify(value ?? null), chars);
}

/** What an approver must know of what code can do beside computing; nothing where it can do nothing. */
export function mayCall(tools: readonly string[]): string | null {
  return tools.length === 0 ? null : `Its code may call ${tools.join(', ')}: these take effect outside of the sandbox.`;
}
