/** What of a session's chain decides which saved states are shipped and had back. Host side. */
import { basename } from 'node:path';
import { Context } from '@temporalio/activity';
import type { ChainedSandbox } from '../sandbox/ship-checkpoint.js';
import type { Hash } from '../session/json.js';
import type { StepCall } from '../session/step.js';
import { sha256 } from '../store/blobs.js';
import type { EventWriter } from '../store/event-log.js';
import type { SessionFolder } from '../store/session-store.js';
import { PastCells } from './past-cells.js';
import { requestOf } from './past.js';
import type { StepWorld } from './world.js';

/** The session's sandbox after these cells of its chain. */
export function chainedSandbox(folder: SessionFolder, cells: PastCells, diskBytes: number): ChainedSandbox {
  return { session: basename(folder.path), folder: folder.sandbox, cells: cells.next, recordOf: (k) => cells.link(k)?.hash, diskBytes };
}

/**
 * Ships in the background what the checkpoint store lacks of the states up to `head`, after the step `call`; a later attempt of it, which found
 * it done, has no `events` of its own yet. Does nothing where there is no such store.
 */
export function shipStates({ checkpoints, store }: StepWorld, { session, seq, kind }: Pick<StepCall, 'session' | 'seq' | 'kind'>, head: Hash, known?: EventWriter): void {
  if (!checkpoints) return;
  const folder = store.session(session);
  const events = known ?? folder.events({ seq, attempt: Context.current().info.attempt, step: kind });
  const past = folder.chain.walk(head);
  const cells = new PastCells(folder, past);
  const last = cells.link(cells.next - 1);
  if (!last) return;
  checkpoints.ship({
    ...chainedSandbox(folder, cells, requestOf(past).request.limits.diskBytes),
    codeShaOf: (k) => codeShaOf(cells, k),
    pending: last.record.refs.kernel?.saved === 'pending',
    onShipped: (k) => events.emit('state-shipped', { k }),
    onFailed: (message) => events.emit('state-not-shipped', { message }),
  });
}

/** An inspection's code is our own, and another version may have another. */
function codeShaOf(cells: PastCells, k: number): Hash | undefined {
  const { target, code } = cells.cell(k);
  return target === 'inspect' ? undefined : sha256(code);
}
