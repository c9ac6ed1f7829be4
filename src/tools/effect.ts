import { setTimeout as delay } from 'node:timers/promises';
import { errorSentence } from './error-sentence.js';
import { plainAnswer } from './plain-answer.js';
import { failed, noPlainAnswer, WHY_UNKNOWN } from './sentences.js';
import type { ToolCallContext } from './tool.js';
import type { ResolvedTool } from './tool-set.js';
import type { Json } from '../session/json.js';

/** What one run of a tool came to. `unknown`: it did not end by itself, so that nobody knows whether it took effect. */
export type Effect = { kind: 'answer'; value: Json } | { kind: 'error'; message: string } | { kind: 'unknown'; why: string };

/** How long a tool that was told to end may take to do so. */
const GRACE_MS = 2_000;

/**
 * Runs a tool once: under its time limit, until `over` says that nobody waits for it any more. Never rejects. A tool that ends within a
 * grace after it was told to is taken at its word where it answers, and not where it throws: it may have been cut short.
 */
export async function runTool(tool: ResolvedTool, args: Record<string, unknown>, context: Omit<ToolCallContext, 'signal'>, over: AbortSignal): Promise<Effect> {
  const limit = AbortSignal.timeout(tool.timeoutMs);
  const signal = AbortSignal.any([over, limit]);
  const cut = new Promise<null>((resolve) => {
    if (signal.aborted) resolve(null);
    else signal.addEventListener('abort', () => resolve(null), { once: true });
  });
  const run: Promise<Effect> = Promise.resolve()
    .then(() => tool.run(args, { ...context, signal }))
    .then(
      (returned) => answered(returned),
      (error: unknown) => ({ kind: 'error', message: failed(tool.name, errorSentence(error)) }),
    );
  const ended = await Promise.race([run, cut]);
  // What came at the same moment as the signal may be the signal's doing.
  if (ended && !(ended.kind === 'error' && signal.aborted)) return ended;
  const late = await Promise.race([run, delay(GRACE_MS, null, { ref: false })]);
  if (late?.kind === 'answer') return late;
  return { kind: 'unknown', why: over.aborted ? WHY_UNKNOWN.over : WHY_UNKNOWN.late(tool.timeoutMs / 1000) };

  function answered(returned: unknown): Effect {
    const plain = plainAnswer(returned);
    return 'value' in plain ? { kind: 'answer', value: plain.value } : { kind: 'error', message: noPlainAnswer(tool.name, plain.problem) };
  }
}
