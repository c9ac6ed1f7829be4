import { checkText, type AcceptanceCheck } from './acceptance-check.js';
import { agreedPlan } from './agreed-plan.js';
import type { Proposed } from './decision.js';
import { exposureOf, heldBy, type Exposure } from './exposure.js';
import type { Artifact, Observation, VerificationObservation } from './observation.js';
import { decidedVerification } from './decided-verification.js';
import type { Hash, TextRef } from './json.js';
import type { Isolation } from './request.js';
import type { StepRecord } from './step-record.js';
import type { StepIO } from './step.js';
import { addSpent, NOTHING_SPENT, type Spent } from './usage.js';
import type { Status } from './verdict.js';

/** The whole end of a request, read from the chain. */
export interface Result {
  session: string;
  request: string;
  status: Status;
  reason: string | null;
  /** What `verified` rests on, e.g. "runs, repeats, pack checks 6/6"; null when nothing was verified. */
  statement: string | null;
  /** A few sentences by the model: what was done and found. Its words, checked by nobody. */
  answer: string | null;
  /** The final script's text. */
  script: string | null;
  /** What the plan takes for granted, in the model's words or a person's. */
  assumptions: string[];
  /** What the plan asked, the answer that holds, and whose it is: a person's, or `default`. */
  questions: { question: string; options: string[]; answer: string; by: string }[];
  /** What verification held the outputs to, beside the pack's checks; agreed on before the code. `text` says all that was checked. */
  checks: { text: string; check: AcceptanceCheck }[];
  artifacts: Artifact[];
  verification: VerificationObservation | null;
  /** The last review by the model. */
  review: { accept: boolean; summary: string } | null;
  /** Who decided what, in order. */
  decisions: { actor: string; /** What was decided on: a plan, a cell or the script. */ what: Proposed; kind: string; reason: string | null }[];
  /** Steps taken, without opening and closing. */
  steps: number;
  /** Tokens and US dollars of this request's model calls. */
  spent: Spent;
  isolation: Isolation;
  /** What of the data the model could read. */
  exposure: Exposure;
  /** True when the bundled playbooks answered instead of a model. */
  scripted: boolean;
  model: string;
  /** Wall time from the request's opening to its close, waiting for people included, in milliseconds. */
  ms: number;
}

/** What the chain alone does not tell. */
export interface ResultReaders {
  text(ref: TextRef): string;
  blob(hash: Hash): string;
  /** Words of the model: what `submit` answered and what the last review said. */
  words(records: readonly StepRecord[]): { answer: string | null; review: Result['review'] };
  statement(verification: VerificationObservation): string;
}

/** The last request's result, or undefined while it is open. Pure but for the readers. */
export function toResult(session: string, records: readonly StepRecord[], readers: ResultReaders): Result | undefined {
  const close = records.findLast((record) => record.kind === 'close');
  if (!close || records.at(-1) !== close) return undefined;
  const since = records.slice(records.findLastIndex((record) => record.kind === 'open'));
  const { request } = since[0]!.args as unknown as StepIO['open']['args'];
  const { verdict } = close.args as unknown as StepIO['close']['args'];
  const seen = since.filter((record) => record.refs.observation && record.kind !== 'open').map((record) => JSON.parse(readers.text(record.refs.observation!)) as Observation | { kind: 'artifacts'; artifacts: Artifact[] });
  const verified = decidedVerification(since, verdict.script)?.refs.observation;
  const verification = verified ? (JSON.parse(readers.text(verified)) as VerificationObservation) : null;
  const artifacts = seen.findLast((observation) => observation.kind === 'artifacts');
  const words = readers.words(since);
  const agreed = agreedPlan(since, readers.blob);
  return {
    session,
    request: request.id,
    status: verdict.status,
    reason: verdict.reason ?? null,
    statement: verification && readers.statement(verification),
    answer: words.review?.summary || words.answer,
    script: verdict.script ? readers.blob(verdict.script) : null,
    assumptions: agreed?.plan.assumptions ?? [],
    questions: (agreed?.questions ?? []).map(({ question, options, answer, by }) => ({ question, options, answer, by })),
    checks: (agreed?.plan.checks ?? []).map((check) => ({ text: checkText(check), check })),
    artifacts: artifacts?.kind === 'artifacts' ? artifacts.artifacts : [],
    verification,
    review: words.review,
    decisions: since.flatMap((record) => record.facts).flatMap((fact) => (fact.kind === 'decision' ? [{ actor: fact.actor, what: fact.what ?? 'script', kind: fact.decision.kind, reason: fact.decision.kind === 'reject' ? (fact.decision.reason ?? null) : null }] : [])),
    steps: since.filter((record) => record.kind !== 'open' && record.kind !== 'close').length,
    spent: since.reduce((sum, record) => addSpent(sum, record.spent), NOTHING_SPENT),
    isolation: request.isolation,
    exposure: heldBy(seen.filter((observation) => observation.kind !== 'artifacts'), exposureOf(request)),
    scripted: request.model === 'scripted',
    model: request.model,
    ms: close.startedAt + close.ms - since[0]!.startedAt,
  };
}
