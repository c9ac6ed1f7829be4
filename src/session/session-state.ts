/**
 * All that a run carries: plain JSON, and the argument of continue-as-new. Pure transitions only.
 * Invariants:
 * (1) `head` moves only when a step returns (`drive`'s takeStep);
 * (2) at most one proposal is open;
 * (3) a fact leaves `facts` only with the step that carries it; what arrives meanwhile waits for the next;
 * (4) a proposal is decided at most once in the life of the session;
 * (5) a request enters the queue at most once, and leaves it to be opened and closed;
 * (6) whatever a message sets lives here, so that continue-as-new can't lose it;
 * (7) whatever a message brings is bounded in number and size, so that the state always fits into the start of a run.
 */
import { TOOL_NAME } from './bridged-tool.js';
import type { CodeRef, Decision, Proposal } from './decision.js';
import { EXPOSURES } from './exposure.js';
import type { Fact, Loop } from './facts.js';
import type { Hash, Json } from './json.js';
import { answersProblem, readPlanText } from './plan.js';
import { APPROVAL_POLICIES, approvalProblem, STRATEGIES, type Request } from './request.js';
import { NOTHING_SPENT, type Spent } from './usage.js';

/** A cell that ran: digests of its code and of what it showed. */
export interface Taken {
  code: string;
  sig: string;
  ok: boolean;
}

export interface SessionState {
  session: string;
  head: Hash | null;
  seq: number;
  /** Steps since the run began: decides when it continues as new. */
  stepsThisRun: number;
  /** Steps of this request that count against `maxSteps`. */
  stepsThisRequest: number;
  turn: number;
  request: Request;
  /** The strategy's own state; null until the request is open. */
  strategy: Json | null;
  facts: Fact[];
  /** Of this request. */
  spent: Spent;
  /** The last cells of this request, oldest first. */
  recent: Taken[];
  /** A loop that the model is told of with its next call. */
  loop: Loop | null;
  /** It was told once. */
  nudged: boolean;
  proposal: Proposal | null;
  /** Ids of the proposals decided last. */
  decided: string[];
  stopping: boolean;
  /** Accepted requests that wait for the one that runs, oldest first. `stop`: a stop came while it waited, from `by`. */
  queue: { request: Request; stop: boolean; by?: string }[];
}

const REMEMBERED_DECISIONS = 200;
/** Of an edit in a message; a client sends longer code by hash. */
const MAX_EDIT_CHARS = 64 << 10;
const MAX_REASON_CHARS = 10_000;
/** Decisions that come too late between two steps; those beyond are not recorded. */
const MAX_IGNORED = 50;
const MAX_WAITING = 20;
const MAX_WAITING_BYTES = 512 << 10;

/** What is counted and remembered per request, at its beginning. */
export const newCounts = (): Pick<SessionState, 'turn' | 'stepsThisRequest' | 'spent' | 'recent' | 'loop' | 'nudged'> => ({ turn: 0, stepsThisRequest: 0, spent: NOTHING_SPENT, recent: [], loop: null, nudged: false });

export function newSession(session: string, request: Request): SessionState {
  return {
    session,
    head: null,
    seq: 0,
    stepsThisRun: 0,
    ...newCounts(),
    request,
    strategy: null,
    facts: [],
    proposal: null,
    decided: [],
    stopping: false,
    queue: [],
  };
}

/** Why a request can't be run, as one sentence; undefined when it can. The last line of defence: clients refuse earlier and with more detail. */
export function requestProblem(request: Request | undefined): string | undefined {
  if (!request || typeof request !== 'object') return 'A request is missing: start the workflow with { request }.';
  if (typeof request.id !== 'string' || !request.id) return 'The request has no id.';
  if (typeof request.prompt !== 'string' || !request.prompt.trim()) return 'The request has an empty prompt.';
  if (!STRATEGIES.includes(request.strategy)) return `Strategy ${JSON.stringify(request.strategy)} is not known; choose one of ${STRATEGIES.join(', ')}.`;
  if (![request.exposure, ...(Array.isArray(request.inputs) ? request.inputs.map((input) => input?.exposure) : [])].every((exposure) => exposure === undefined || EXPOSURES.includes(exposure))) return `An exposure of the request is not known; choose one of ${EXPOSURES.join(', ')}.`;
  if (request.tools !== undefined && !(Array.isArray(request.tools) && request.tools.every((name) => typeof name === 'string' && TOOL_NAME.test(name)))) return 'The tools of the request are no list of names: name tools as the worker registers them.';
  const policy = request.approval?.policy as string;
  if (!(APPROVAL_POLICIES as readonly string[]).includes(policy)) return `Approval policy ${JSON.stringify(policy)} is not known; choose one of ${APPROVAL_POLICIES.join(', ')}.`;
  const unfit = approvalProblem(request.approval.policy, request.strategy);
  if (unfit) return unfit;
  if (!request.limits || !request.budget || !Array.isArray(request.inputs)) return 'The request was not admitted: limits, budget and inputs are missing.';
  const numbers = { ...request.limits, maxSteps: request.budget.maxSteps, expiryMs: request.approval.expiryMs };
  for (const key of COUNTS) {
    if (!(Number.isFinite(numbers[key]) && numbers[key] >= (key === 'maxRepairs' ? 0 : 1))) return `The request was not admitted: ${key} is ${JSON.stringify(numbers[key])}.`;
  }
  if (request.promptTokens !== undefined && !(Number.isFinite(request.promptTokens) && request.promptTokens >= 1)) return `The request was not admitted: promptTokens is ${JSON.stringify(request.promptTokens)}.`;
  const { deadline } = request.budget;
  if (deadline && Number.isNaN(Date.parse(deadline))) return `The request was not admitted: deadline is ${JSON.stringify(deadline)}.`;
  // These become paths: of a file that a sandbox sees, and of one that it must never see.
  const stray = [...request.inputs, ...(request.truth ?? [])].find((file) => !isBaseName(file?.name));
  return stray === undefined ? undefined : `The input name ${JSON.stringify(stray?.name)?.slice(0, 200)} is no plain file name.`;
}

const COUNTS = ['cellTimeoutMs', 'scriptTimeoutMs', 'memoryBytes', 'diskBytes', 'maxRepairs', 'stepsPerRun', 'maxSteps', 'expiryMs'] as const;

function isBaseName(name: unknown): boolean {
  return typeof name === 'string' && name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name);
}

/** Why a decision can't be taken, or undefined. */
export function decisionProblem(state: SessionState, proposal: string, decision: Decision): string | undefined {
  if (state.decided.includes(proposal)) return 'This proposal has been decided already.';
  if (!state.proposal) return 'Nothing waits for a decision in this session.';
  if (state.proposal.id !== proposal) return 'This is not the proposal that waits now: the code has changed since it was shown.';
  if (!['approve', 'edit', 'reject'].includes(decision?.kind)) return 'A decision is approve, edit or reject.';
  const { what, questions = 0 } = state.proposal;
  if (decision.kind === 'approve' && decision.answers !== undefined && what !== 'plan') return `Only the questions of a plan have answers, and a ${what} waits: approve it without them.`;
  if (decision.kind === 'approve') return answersProblem(decision.answers, questions);
  if (decision.kind === 'edit' && !isEdit(decision.code)) return what === 'plan' ? 'An edit needs the new plan.' : 'An edit needs the new code.';
  if (decision.kind === 'edit' && what === 'plan') return planEditProblem(decision.code, state.request);
  if (decision.kind === 'edit' && 'text' in decision.code && decision.code.text.length > MAX_EDIT_CHARS) return `The edit has ${decision.code.text.length} characters, more than ${MAX_EDIT_CHARS}: store it in the session and send its hash, as the client does.`;
  if (decision.kind === 'reject' && decision.reason !== undefined && typeof decision.reason !== 'string') return 'The reason of a rejection is text.';
  if (decision.kind === 'reject' && (decision.reason?.length ?? 0) > MAX_REASON_CHARS) return `The reason has ${decision.reason!.length} characters, more than ${MAX_REASON_CHARS}: shorten it.`;
  return undefined;
}

/** A plan is edited as text: only what is in the message can be checked before it is taken. */
function planEditProblem(code: CodeRef, { inputs }: Request): string | undefined {
  if (!('text' in code)) return `An edited plan travels whole, as JSON text of at most ${MAX_EDIT_CHARS} characters: it can't be taken by hash.`;
  if (code.text.length > MAX_EDIT_CHARS) return `The plan has ${code.text.length} characters, more than ${MAX_EDIT_CHARS}: shorten it.`;
  const plan = readPlanText(code.text, inputs.map(({ name }) => name));
  return typeof plan === 'string' ? plan : undefined;
}

/** Code a person may hand in: text, or a blob uploaded before. Messages come from anybody, and an exception in a handler would hold the session up for good. */
function isEdit(code: unknown): boolean {
  if (code === null || typeof code !== 'object') return false;
  const { text, hash } = code as { text?: unknown; hash?: unknown };
  return hash === undefined ? typeof text === 'string' && text.trim() !== '' : typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash);
}

/** Takes the one decision of the open proposal and records it at once, so that a stop in the same moment can't lose it. */
export function settle(state: SessionState, proposal: string, actor: string, decision: Decision): void {
  const what = state.proposal?.what ?? 'script';
  state.facts.push({ kind: 'decision', proposal, ...(what === 'script' ? {} : { what }), actor, decision: plain(decision) });
  state.proposal = null;
  state.decided = [...state.decided, proposal].slice(-REMEMBERED_DECISIONS);
}

/** Records a decision that can't be taken. */
export function ignore(state: SessionState, proposal: string, actor: string, why: string): void {
  if (state.facts.filter(({ kind }) => kind === 'ignored-decision').length < MAX_IGNORED) state.facts.push({ kind: 'ignored-decision', proposal, actor, why });
}

/** A decision without what else a message held. */
function plain(decision: Decision): Decision {
  switch (decision.kind) {
    case 'approve':
      return { kind: 'approve', ...(decision.answers === undefined ? {} : { answers: decision.answers }) };
    case 'edit': {
      const { hash, text } = decision.code as { hash?: Hash; text?: string };
      return { kind: 'edit', code: hash === undefined ? { text: text ?? '' } : { hash } };
    }
    case 'reject':
      return { kind: 'reject', ...(decision.reason === undefined ? {} : { reason: decision.reason }) };
    case 'expired':
      return decision;
  }
}

/** Why a follow-up can't be taken, or undefined. The request that runs, or waits already, is the same one sent again. */
export function followUpProblem(state: SessionState, request: Request | undefined): string | undefined {
  const problem = requestProblem(request);
  if (problem || isKnown(state, request!.id)) return problem;
  if (state.queue.length >= MAX_WAITING) return `${MAX_WAITING} requests wait in this session already: wait until one is done.`;
  const own = bytesOf(request);
  if (own > MAX_WAITING_BYTES) return `The request has ${own} bytes, more than the ${MAX_WAITING_BYTES} that may wait in a session: shorten it, and give data as --input.`;
  if (own + bytesOf(state.queue) > MAX_WAITING_BYTES) return `The requests that wait in this session would have more than ${MAX_WAITING_BYTES} bytes together: wait until one is done.`;
  return undefined;
}

const bytesOf = (value: unknown): number => new TextEncoder().encode(JSON.stringify(value)).length;

/** Queues a follow-up behind what runs and waits; gives how many requests are before it. The same id again changes nothing. */
export function enqueue(state: SessionState, request: Request): number {
  if (!isKnown(state, request.id)) state.queue.push({ request, stop: false });
  return state.request?.id === request.id ? 0 : state.queue.findIndex((waiting) => waiting.request.id === request.id) + 1;
}

/** Takes a stop: it ends what waits, and what runs unless its verdict stands. Each request that it ends records it. Gives whether what runs is to end now. */
export function stop(state: SessionState, actor: string, closing: boolean): boolean {
  for (const waiting of state.queue.filter((each) => !each.stop)) Object.assign(waiting, { stop: true, by: actor });
  if (closing || state.stopping) return false;
  state.stopping = true;
  state.facts.push({ kind: 'stop', actor });
  return true;
}

/** Makes the next request of the queue the one that runs; false when none waits. */
export function takeNext(state: SessionState): boolean {
  const next = state.queue.shift();
  if (!next) return false;
  state.request = next.request;
  state.strategy = null;
  state.stopping = next.stop;
  if (next.stop) state.facts.push({ kind: 'stop', actor: next.by ?? 'unnamed' });
  return true;
}

function isKnown(state: SessionState, id: string): boolean {
  return state.request?.id === id || state.queue.some((waiting) => waiting.request.id === id);
}
