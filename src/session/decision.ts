import type { Hash } from './json.js';

/** Code by the hash of its blob, as text that no activity has stored yet (a person's edit), or by its path in the workspace (a submitted script). */
export type CodeRef = { hash: Hash } | { text: string } | { path: string };

/** What a person, or the clock, said about a proposal. */
export type Decision =
  | { kind: 'approve' }
  | { kind: 'edit'; code: CodeRef }
  | { kind: 'reject'; reason?: string }
  | { kind: 'expired' };

/** Something that waits for a person. `id` is `<head>:<call>`: the head is the record that holds the code, so it names the exact bytes and their past. */
export interface Proposal {
  id: string;
  what: 'cell' | 'script';
  /** The exact code that runs on approval. */
  code: Hash;
}
