import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { refusal } from '../admission/refusal.js';
import type { ResolvedConfig } from '../config.js';
import { configOf } from './config-options.js';
import type { CliContext } from './context.js';
import type { RunOptions } from './run-options.js';
import { checkSavePlace } from './save-result.js';

/** What `run` and `follow-up` read from their command lines before anything starts. */
export interface RequestLine {
  config: ResolvedConfig;
  /** Absolute folder for what the request leaves, or null. */
  out: string | null;
  text: string;
}

/** Reads a prompt, from stdin where it is `-`, and the options around it. Throws `bad-request`. */
export async function readRequestLine(prompt: string, options: RunOptions, context: CliContext): Promise<RequestLine> {
  const config = configOf(options, context);
  if (options.detach && options.out !== undefined) throw refusal('--out and --detach contradict each other, nothing is there to write yet: leave one out, and use nl2code show --out later.');
  const out = options.out === undefined ? null : resolve(context.cwd, options.out);
  if (out !== null) checkSavePlace(out);
  const text = prompt === '-' ? await readPrompt(context.stdin, config.admission.maxPromptChars) : prompt;
  return { config, out, text };
}

/** The prompt from stdin; what is far beyond the limit is not read to its end. */
async function readPrompt(stdin: Readable, maxChars: number): Promise<string> {
  let text = '';
  stdin.setEncoding('utf8');
  for await (const chunk of stdin) {
    text += chunk as string;
    if (text.length > maxChars * 2) break;
  }
  return text.replace(/\n$/, '');
}
