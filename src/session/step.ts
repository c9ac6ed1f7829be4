import type { CodeRef } from './decision.js';
import type { Fact } from './facts.js';
import type { Hash } from './json.js';
import type { Request } from './request.js';
import type { Spent } from './usage.js';
import type { Verdict } from './verdict.js';

/** One tool call of a model's reply. Code is already stored; a call that could not be understood says why. */
export interface Call {
  /** Id the model gave the call; observations answer it. */
  id: string;
  tool: string;
  /** Blob of the call's code argument. */
  code?: Hash;
  /** Workspace path of a submitted script. */
  path?: string;
  /** Why the call can't be run, as a sentence for the model. */
  problem?: string;
}

/** Why a reply ended before it was whole: its limit of tokens, the endpoint's content filter, or the model's refusal. */
export type Ending = 'length' | 'filter' | 'refusal';

/** What `execute` runs: the built-in look at the inputs, a cell in the session's kernel, or the final script in fresh sandboxes. */
export type ExecuteTarget = 'inspect' | 'cell' | 'script';

/** The one table of steps: what each takes, and the small value the workflow gets back. Everything larger is in the record's blobs. */
export interface StepIO {
  open: { args: { request: Request }; value: { seq: number; verdicts: Verdict[] } };
  plan: { args: null; value: { /** How many steps it has; 0 when the reply held none. */ items: number; /** Blob of its JSON. */ plan?: Hash; /** How many questions it asks; absent when none. */ questions?: number } };
  code: { args: null | { /** Part of the plan that is asked for, from 0. */ item: number }; value: { calls: Call[]; /** Why a reply without calls ended early, where the endpoint said so. */ ended?: Ending } };
  execute: { args: { target: ExecuteTarget; call: string; code: CodeRef | null }; value: { ok: boolean; /** The stored script; absent for a cell, whose code the caller named. */ code?: Hash; /** Digest of the observation, for loop detection. */ sig: string; /** Why the code is no Python, so that nothing of it ran; absent when it is. */ unparsed?: string } };
  review: { args: null; value: { accept: boolean } };
  retry: { args: { left: number; /** A stronger strategy could go on. */ escalate?: true }; value: { next: 'repair' | 'escalate' | 'give-up'; reason: string } };
  close: { args: { verdict: Verdict }; value: null };
}
export type StepKind = keyof StepIO;

/** Whether the budget counts a step; `open` and `close` are brackets. Pure. */
export const isCounted = (kind: StepKind): boolean => kind !== 'open' && kind !== 'close';

/** Everything that decides a step's result. The memo key is the hash of it without `session` and `seq`, so it holds no attempt, clock or setting. */
export interface StepCall<K extends StepKind = StepKind> {
  session: string;
  parent: Hash | null;
  seq: number;
  kind: K;
  /** Name of what is asked of the model; only plan, code and review have one. */
  ask?: string;
  args: StepIO[K]['args'];
  facts: Fact[];
}

/** A call as it travels to its activity: what the activity knows from its own name and its workflow's id is left out, so that histories stay small. */
export type SentCall<K extends StepKind = StepKind> = Omit<StepCall<K>, 'session' | 'kind'>;

export interface StepReply<K extends StepKind = StepKind> {
  head: Hash;
  value: StepIO[K]['value'];
  /** Absent for a step that cost nothing: histories stay small. */
  spent?: Spent;
}
