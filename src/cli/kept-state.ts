import { join } from 'node:path';
import { manifestNumbers } from '../sandbox/manifests.js';
import type { StepIO } from '../session/step.js';
import type { Link } from '../store/chain.js';
import type { SessionFolder } from '../store/session-store.js';

/** What is kept of a session's kernel. */
export interface KeptState {
  /** Cells that the session ran. */
  cells: number;
  /** The last cell whose state is on this machine's disk; -1 when none is. Of what a sandbox wrote, so not vouched for. */
  head: number;
}

/** The records of the session's cells, by their numbers. */
export function cellLinks(folder: SessionFolder): Link[] {
  return folder.chain.walk(folder.chain.head()).filter(({ record: { kind, args } }) => kind === 'execute' && (args as unknown as StepIO['execute']['args']).target !== 'script');
}

/** Reads what is kept; null for a session that has run no cell since states are kept. */
export function readKeptState(folder: SessionFolder): KeptState | null {
  const cells = cellLinks(folder);
  if (!cells.some(({ record }) => record.refs.kernel)) return null;
  return { cells: cells.length, head: manifestNumbers(join(folder.sandbox, 'checkpoint', 'manifests')).at(-1) ?? -1 };
}

/** What is kept, as a line; `remote` is the last cell whose state is elsewhere and is fetched when none is here. Pure. */
export function keptText({ cells, head: here }: KeptState, remote = -1): string {
  const last = cells - 1;
  const head = here < 0 ? remote : here;
  if (head >= last) return `state after cell ${last} is kept`;
  const again = head + 1 === last ? `cell ${last} runs` : `cells ${head + 1} to ${last} run`;
  return `${head < 0 ? 'no state is kept' : `state after cell ${head} is kept`}: ${again} again when the session goes on`;
}
