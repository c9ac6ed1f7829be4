import type { Decision, Proposed } from './decision.js';
import type { Json } from './json.js';

/** How a session goes round in circles; see strategies/loop. */
export type Loop = 'repeat' | 'error' | 'alternation' | 'no-progress';

/** What only the workflow knows. It enters the chain in the `facts` of the next step. */
export type Fact =
  | { kind: 'turn'; n: number; state: Json }
  | { kind: 'decision'; proposal: string; /** Absent for a script. */ what?: Exclude<Proposed, 'script'>; actor: string; decision: Decision }
  /** Nobody is asked about the plan: the defaults of its questions hold. */
  | { kind: 'defaults-taken' }
  | { kind: 'ignored-decision'; proposal: string; actor: string; why: string }
  | { kind: 'no-call' }
  | { kind: 'not-run'; call: string; why: string }
  /** The model is told once; the next loop ends the request. */
  | { kind: 'loop'; loop: Loop }
  | { kind: 'stop'; actor: string };
