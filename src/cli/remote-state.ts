import { basename } from 'node:path';
import type { CheckpointStore } from '../store/checkpoint-store.js';
import type { SessionFolder } from '../store/session-store.js';
import { remoteHead } from '../sandbox/refill-checkpoint.js';
import { cellLinks } from './kept-state.js';

/** What of a session's kernel is where other hosts have it too. */
export interface RemoteState {
  place: string;
  /** The last cell whose state is there, -1 when none is; null where it can't be read. */
  head: number | null;
  /** Why not all of it is there, when that was the last that a worker said of it. */
  problem: string | null;
}

/** Compares a session's chain with what the checkpoint store has. */
export async function readRemoteState(folder: SessionFolder, store: CheckpointStore): Promise<RemoteState> {
  const { place } = store;
  const cells = cellLinks(folder);
  try {
    const head = await remoteHead(store, { session: basename(folder.path), recordOf: (k) => cells[k]?.hash });
    const told = head >= cells.length - 1 ? undefined : folder.readEvents().events.findLast(({ kind }) => kind === 'state-shipped' || kind === 'state-not-shipped');
    const message = told?.kind === 'state-not-shipped' ? (told.data as { message?: unknown } | undefined)?.message : null;
    return { place, head, problem: typeof message === 'string' ? message : null };
  } catch (error) {
    return { place, head: null, problem: error instanceof Error ? error.message : String(error) };
  }
}

/** Which of so many cells have their state where, as a line. Pure. */
export function storedText(cells: number, { place, head }: RemoteState): string {
  const span = (from: number, to: number) => (from === to ? `cell ${from}` : `cells ${from} to ${to}`);
  if (head === null) return `what is in ${place} can't be told`;
  if (head < 0) return `local: ${span(0, cells - 1)}; nothing is in ${place} yet`;
  if (head >= cells - 1) return `remote: ${span(0, cells - 1)}, in ${place}`;
  return `remote: ${span(0, head)}, in ${place}; local: ${span(head + 1, cells - 1)}`;
}
