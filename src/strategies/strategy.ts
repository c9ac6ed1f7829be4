import type { CodeRef, Decision } from '../session/decision.js';
import type { Fact } from '../session/facts.js';
import type { Json } from '../session/json.js';
import type { Request } from '../session/request.js';
import type { StepIO } from '../session/step.js';
import type { Status } from '../session/verdict.js';

/** What a strategy may touch. It knows nothing of Temporal, the chain, budgets, stops, approval policy or continue-as-new. */
export interface Steps {
  /** Looks at the inputs with the built-in cell. */
  inspect(): Promise<StepIO['execute']['value']>;
  /** Asks for a plan, and under a policy a person about it: what comes back is agreed. Without steps it is no plan. */
  plan(ask: string): Promise<{ items: number }>;
  /** `item`: which part of the plan is asked for, from 0, where the ask takes one. */
  code(ask: string, item?: number): Promise<StepIO['code']['value']>;
  /** Runs a cell in the session's kernel. Under a policy a person is asked first; a refusal comes back as not ok. */
  cell(call: string, code: CodeRef): Promise<StepIO['execute']['value']>;
  /** Verifies the final script in fresh sandboxes. */
  verify(call: string, code: CodeRef): Promise<StepIO['execute']['value']>;
  review(ask: string): Promise<StepIO['review']['value']>;
  /** `escalate`: a stronger strategy could go on when no repair is left. */
  retry(left: number, escalate?: boolean): Promise<StepIO['retry']['value']>;
  /** Shows the verified script to a person where the policy says so; otherwise approves. `problem`: why it is shown again. */
  approve(call: string, code: CodeRef, problem?: string): Promise<Decision>;
  /** Something the model must be told before its next call. */
  note(fact: Extract<Fact, { kind: 'no-call' | 'not-run' }>): void;
}

export interface Outcome {
  status: Status;
  reason?: string;
  script?: CodeRef;
}

export type Turn<S> = { state: S } | { outcome: Outcome };

/** A way of turning a request into a script. `turn` is one pass: plain data in, plain data out, nothing kept between calls. */
export interface Strategy<S extends Json = Json> {
  /** Its course ends by itself whatever its cells show: a loop is told to the model and does not end the request. */
  bounded?: true;
  start(request: Request): S;
  turn(state: S, steps: Steps): Promise<Turn<S>>;
}

/** Whether the inputs have to be looked at: a follow-up without new ones has their inspection in its conversation. Pure. */
export const looksAtInputs = ({ follows }: Request): boolean => !follows || follows.newInputs;

/** Thrown by `Steps` only, caught by `drive` only: the request is over, whatever the strategy was doing. */
export class Halt extends Error {
  override readonly name = 'Halt';
  constructor(readonly outcome: Outcome) {
    super(outcome.reason ?? outcome.status);
  }
}
