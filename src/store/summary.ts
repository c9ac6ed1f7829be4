import { readFileSync, renameSync } from 'node:fs';
import type { Hash } from '../session/json.js';
import type { StepRecord } from '../session/step-record.js';
import type { StepIO } from '../session/step.js';
import { addSpent, NOTHING_SPENT, type Spent } from '../session/usage.js';
import type { Status } from '../session/verdict.js';
import { writeTemporary } from './file.js';
import type { SessionFolder } from './session-store.js';

/** What lists show of a session, as its chain says up to `head`: of its last request, but for steps and cost, which are the session's. */
export interface Summary {
  v: 1;
  head: Hash;
  /** The beginning of the prompt. */
  prompt: string;
  strategy: string;
  labels: Record<string, string>;
  startedAt: number;
  steps: number;
  spent: Spent;
  /** null while the request is open. */
  verdict: Status | null;
}

const PROMPT_CHARS = 300;

/**
 * The summary of a session, kept beside its chain so that a list reads two small files of it; undefined before its first request is open.
 * A kept one that is behind is brought up to date from the records after it. It is a view: what can't be read is made anew.
 */
export function readSummary(folder: SessionFolder): Summary | undefined {
  const head = folder.chain.head();
  if (head === null) return undefined;
  const kept = keptSummary(folder.summary);
  if (kept?.head === head) return kept;
  const newer = folder.chain.since(kept?.head ?? null);
  const last = newer.at(-1);
  if (!last) return kept;
  // Where what was kept is not in the chain any more, all of the chain is newer.
  const base = newer[0]!.record.parent === null ? undefined : kept;
  const summary = newer.reduce<Summary | undefined>((before, { hash, record }) => advanced(before, hash, record), base);
  if (summary) keep(folder, summary);
  return summary;
}

/** A summary with one record more. Pure. */
function advanced(before: Summary | undefined, head: Hash, record: StepRecord): Summary | undefined {
  const spent = addSpent(before?.spent ?? NOTHING_SPENT, record.spent);
  if (record.kind === 'open') {
    const { prompt, strategy, labels } = (record.args as unknown as StepIO['open']['args']).request;
    return { v: 1, head, prompt: prompt.slice(0, PROMPT_CHARS), strategy, labels: labels ?? {}, startedAt: record.startedAt, steps: before?.steps ?? 0, spent, verdict: null };
  }
  if (!before) return undefined;
  if (record.kind === 'close') return { ...before, head, spent, verdict: (record.args as unknown as StepIO['close']['args']).verdict.status };
  return { ...before, head, spent, steps: before.steps + 1, verdict: null };
}

function keptSummary(path: string): Summary | undefined {
  try {
    const kept = JSON.parse(readFileSync(path, 'utf8')) as Summary;
    return kept.v === 1 && typeof kept.head === 'string' ? kept : undefined;
  } catch {
    return undefined;
  }
}

function keep(folder: SessionFolder, summary: Summary): void {
  try {
    renameSync(writeTemporary(folder.path, JSON.stringify(summary), 'process'), folder.summary);
  } catch {
    // On a full or read-only disk the next list reads the chain again.
  }
}
