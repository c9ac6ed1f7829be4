import type { Hash } from './json.js';
import type { Answers } from './plan.js';

/** Code by the hash of its blob, as text that no activity has stored yet (a person's edit), or by its path in the workspace (a submitted script). */
export type CodeRef = { hash: Hash } | { text: string } | { path: string };

/** What a person, or the clock, said about a proposal. An edit of a plan is the whole plan as JSON text. */
export type Decision =
  | { kind: 'approve'; /** Of a plan's questions; what is left out keeps its default. */ answers?: Answers }
  | { kind: 'edit'; code: CodeRef }
  | { kind: 'reject'; reason?: string }
  | { kind: 'expired' };

/** What can wait for a person. */
export type Proposed = 'plan' | 'cell' | 'script';

/** Something that waits for a person. `id` is `<head>:<call>`: the head is the record that holds the code, so it names the exact bytes and their past. */
export interface Proposal {
  id: string;
  what: Proposed;
  /** The exact code that runs on approval, or the JSON of the plan. */
  code: Hash;
  /** How many questions a plan asks; absent when none. */
  questions?: number;
  /** Why it waits again, as a sentence; absent the first time. */
  problem?: string;
}
