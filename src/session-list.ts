import type { Status } from './session/verdict.js';
import type { StepIO } from './session/step.js';
import { addSpent, NOTHING_SPENT, type Spent } from './session/usage.js';
import type { SessionStore } from './store/session-store.js';
import { SessionFolder } from './store/session-store.js';
import { join } from 'node:path';
import type { Snapshot } from './workflows/messages.js';

/** One line of a list: newest first. */
export interface SessionSummary {
  session: string;
  /** A verdict, or where the open request stands. `lost`: open in the store, unknown to the server. */
  state: Status | 'running' | 'waiting' | 'lost';
  prompt: string;
  /** Unix time in milliseconds. */
  startedAt: number;
  /** Steps taken, without opening and closing. */
  steps: number;
  spent: Spent;
}

interface Runs {
  snapshot(session: string): Promise<Snapshot | undefined>;
  describe(session: string): Promise<{ open: boolean } | undefined>;
}

/** All sessions of the store, with the state of open ones as their runs tell it. */
export async function listSessions(store: SessionStore, runs: Runs): Promise<SessionSummary[]> {
  const summaries: SessionSummary[] = [];
  for (const name of store.list()) {
    const folder = new SessionFolder(join(store.root, 'sessions', name), store.durability);
    const records = folder.chain.walk(folder.chain.head()).map((link) => link.record);
    const open = records.findLast((record) => record.kind === 'open');
    if (!open) continue;
    const { request } = open.args as unknown as StepIO['open']['args'];
    const close = records.at(-1)?.kind === 'close' ? (records.at(-1)!.args as unknown as StepIO['close']['args']) : undefined;
    summaries.push({
      session: name,
      state: close ? close.verdict.status : await openState(name, runs),
      prompt: request.prompt,
      startedAt: open.startedAt,
      steps: records.filter((record) => record.kind !== 'open' && record.kind !== 'close').length,
      spent: records.reduce((sum, record) => addSpent(sum, record.spent), NOTHING_SPENT),
    });
  }
  return summaries;
}

async function openState(session: string, runs: Runs): Promise<SessionSummary['state']> {
  const run = await runs.describe(session);
  if (run && !run.open) return 'lost';
  return (await runs.snapshot(session))?.proposal ? 'waiting' : 'running';
}
