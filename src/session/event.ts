import type { Json } from './json.js';
import type { StepKind } from './step.js';

/** A line of the event log: a live view of a session, never its truth. Keyed `(seq, attempt, n)`: a repeated attempt starts again at `n` 0. */
export interface SessionEvent {
  /** Unix time in milliseconds. */
  at: number;
  /** Step sequence number in the session. */
  seq: number;
  attempt: number;
  /** Number of the event within its attempt. */
  n: number;
  kind: EventKind;
  step?: StepKind;
  data?: Json;
}

export type EventKind =
  | 'step-started'
  | 'step-finished'
  | 'step-failed'
  | 'model-delta'
  | 'model-retry'
  | 'cell-output'
  | 'cell-display'
  | 'sandbox-started'
  /** The sandbox ended under a cell; another goes on from the saved state. */
  | 'kernel-lost'
  /** The kernel died under a cell, which runs again from the state before it. */
  | 'cell-again'
  /** A kernel was started again with the saved state. */
  | 'kernel-restored'
  /** A cell of before ran again, since its saved state was gone. */
  | 'cell-caught-up'
  /** A cell's result is kept, the state after it is not. */
  | 'state-unsaved'
  /** The states up to that after cell `k` are where other hosts have them too. */
  | 'state-shipped'
  /** Some states are on this machine only; the next cell tries again. Or they could not be fetched. */
  | 'state-not-shipped'
  /** The state after cell `k` was fetched from there. */
  | 'state-fetched'
  | 'verification-progress';
