import { join } from 'node:path';
import { manifestNumbers } from '../sandbox/manifests.js';
import type { StepIO } from '../session/step.js';
import type { SessionFolder } from '../store/session-store.js';

/** What is kept of a session's kernel. */
export interface KeptState {
  /** Cells that the session ran. */
  cells: number;
  /** The last cell whose state is on this machine's disk; -1 when none is. Of what a sandbox wrote, so not vouched for. */
  head: number;
}

/** Reads what is kept; null for a session that has run no cell since states are kept. */
export function readKeptState(folder: SessionFolder): KeptState | null {
  const records = folder.chain.walk(folder.chain.head()).map(({ record }) => record);
  const cells = records.filter(({ kind, args }) => kind === 'execute' && (args as unknown as StepIO['execute']['args']).target !== 'script');
  if (!cells.some(({ refs }) => refs.kernel)) return null;
  return { cells: cells.length, head: manifestNumbers(join(folder.sandbox, 'checkpoint', 'manifests')).at(-1) ?? -1 };
}

/** What is kept, as a line. Pure. */
export function keptText({ cells, head }: KeptState): string {
  const last = cells - 1;
  if (head >= last) return `state after cell ${last} is kept`;
  const again = head + 1 === last ? `cell ${last} runs` : `cells ${head + 1} to ${last} run`;
  return `${head < 0 ? 'no state is kept' : `state after cell ${head} is kept`}: ${again} again when the session goes on`;
}
