import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { Decision, Proposal } from '../session/decision.js';
import type { Hash } from '../session/json.js';
import type { Request } from '../session/request.js';
import type { Spent } from '../session/usage.js';
import type { Verdict } from '../session/verdict.js';

/** Argument of the `decide` Update and Signal. */
export interface DecideInput {
  /** Id of the proposal as it was shown; a stale or decided one is refused. */
  proposal: string;
  /** Who decides, as the edge knows them: `unauthenticated:<os user>` for the CLI. */
  actor: string;
  decision: Decision;
}

/** The small live view of a run. */
export interface Snapshot {
  request: string;
  /** Steps of this request taken so far. */
  steps: number;
  seq: number;
  head: Hash | null;
  proposal: Proposal | null;
  stopping: boolean;
  spent: Spent;
  verdict: Verdict | null;
  /** Ids of the requests that wait for this one. */
  waiting: string[];
}

/** Validated and answered: refused when stale, repeated or malformed. */
export const decideUpdate = defineUpdate<{ accepted: true }, [DecideInput]>('decide');
/** For systems that can only signal; a stale one is recorded and ignored. */
export const decideSignal = defineSignal<[DecideInput]>('decide');
/**
 * Goes on with a session: sent with the start of its run, which it opens when none is. Deduplicated by the request's id; answers how
 * many requests are before it.
 */
export const followUpUpdate = defineUpdate<{ before: number }, [Request]>('followUp');
/** Ends the request as `stopped`; reaches a running cell or model call within a second. What waits behind it is stopped too. */
export const stopSignal = defineSignal<[{ actor: string }]>('stop');
export const snapshotQuery = defineQuery<Snapshot>('snapshot');
