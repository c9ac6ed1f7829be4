import type { Decision } from './decision.js';
import type { Json } from './json.js';

/** What only the workflow knows. It enters the chain in the `facts` of the next step. */
export type Fact =
  | { kind: 'turn'; n: number; state: Json }
  | { kind: 'decision'; proposal: string; actor: string; decision: Decision }
  | { kind: 'ignored-decision'; proposal: string; actor: string; why: string }
  | { kind: 'no-call' }
  | { kind: 'not-run'; call: string; why: string }
  | { kind: 'stop'; actor: string };
