/**
 * The loop between turns: opens and closes a request, counts steps, asks people, carries facts.
 * Owns every change of `SessionState` that is not a message. Temporal, tests and offline replay are three sets of `Ports`.
 * Invariants:
 * (1) every request that opens gets exactly one verdict, and `close` is its last step;
 * (2) a `Halt` is thrown by ports and steps only, and caught here only;
 * (3) everything that appears in a fact or in args is counted per request, never per run.
 */
import type { CodeRef, Decision, Proposal } from '../session/decision.js';
import type { Loop } from '../session/facts.js';
import type { SessionState, Taken } from '../session/session-state.js';
import { newCounts } from '../session/session-state.js';
import { isCounted, type ExecuteTarget, type StepCall, type StepIO, type StepKind, type StepReply } from '../session/step.js';
import { addSpent } from '../session/usage.js';
import type { Verdict } from '../session/verdict.js';
import { approvals } from './approvals.js';
import { LOOKED_BACK, loopIn } from './loop.js';
import { Halt, type Outcome, type Steps, type Strategy } from './strategy.js';

export interface Ports {
  /** One step with at most one outside effect. Throws `Halt` when stopped or when infrastructure gave up. */
  step<K extends StepKind>(call: StepCall<K>): Promise<StepReply<K>>;
  /** Resolves with who decided what; `expired` when nobody did in time. Throws `Halt` when stopped. */
  decision(proposal: Proposal): Promise<{ actor: string; decision: Decision }>;
  /** The state is complete here: a workflow may continue as new and never return. */
  boundary(): Promise<void>;
}

async function takeStep<K extends StepKind>(state: SessionState, ports: Ports, kind: K, args: StepIO[K]['args'], ask?: string): Promise<StepIO[K]['value']> {
  if (isCounted(kind)) {
    const { maxSteps } = state.request.budget;
    if (state.stepsThisRequest >= maxSteps) throw new Halt({ status: 'stopped', reason: `budget: all ${maxSteps} steps are used` });
    state.stepsThisRequest += 1;
  }
  const facts = state.facts.slice();
  const reply = await ports.step<K>({ session: state.session, parent: state.head, seq: state.seq, kind, ...(ask ? { ask } : {}), args, facts });
  state.facts = state.facts.slice(facts.length);
  state.head = reply.head;
  state.seq += 1;
  state.stepsThisRun += 1;
  if (reply.spent) state.spent = addSpent(state.spent, reply.spent);
  return reply.value;
}

function governed(state: SessionState, ports: Ports, bounded: boolean): Steps {
  const execute = (target: ExecuteTarget, call: string, code: CodeRef | null) => takeStep(state, ports, 'execute', { target, call, code });
  const people = approvals(state, ports);
  return {
    inspect: () => execute('inspect', '', null),
    plan: (ask) => people.plan(() => takeStep(state, ports, 'plan', null, ask)),
    async code(ask, item) {
      // With the next call, not with the next step: calls of the same reply still wait for their answers.
      if (state.loop) state.facts.push({ kind: 'loop', loop: state.loop });
      state.loop = null;
      const reply = await takeStep(state, ports, 'code', item === undefined ? null : { item }, ask);
      // One of a reply: two of a kind in it are one mistake.
      const refused = reply.calls.find(({ problem }) => problem !== undefined);
      if (refused) noticeLoop(state, bounded, { code: refused.tool, sig: refused.problem!.slice(0, REFUSAL_CHARS), ok: false });
      return reply;
    },
    async cell(call, code) {
      const { seen, ran } = await people.cell(call, code, (allowed) => execute('cell', call, allowed));
      if (ran && 'hash' in ran) noticeLoop(state, bounded, { code: ran.hash.slice(0, DIGEST_CHARS), sig: seen.sig, ok: seen.ok });
      return seen;
    },
    verify: (call, code) => execute('script', call, code),
    review: (ask) => takeStep(state, ports, 'review', null, ask),
    retry: (left, escalate) => takeStep(state, ports, 'retry', { left, ...(escalate ? { escalate } : {}) }),
    note: (fact) => void state.facts.push(fact),
    approve: (call, code, problem) => people.script(call, code, problem),
  };
}

/** Enough of a hash to tell eight cells apart: the state travels with every continue-as-new. */
const DIGEST_CHARS = 16;
const REFUSAL_CHARS = 60;

/** Tells the model once that it goes round in circles, and ends the request when it goes on; a strategy whose course is bounded ends by itself. */
function noticeLoop(state: SessionState, bounded: boolean, taken: Taken): void {
  state.recent = [...state.recent, taken].slice(-LOOKED_BACK);
  const loop = loopIn(state.recent);
  if (!loop) return;
  if (state.nudged && bounded) return;
  if (state.nudged) throw new Halt({ status: 'stopped', reason: `loop: ${LOOPS[loop]}, although the model was told` });
  state.loop = loop;
  state.nudged = true;
  state.recent = [];
}

const LOOPS: Record<Loop, string> = {
  repeat: 'the same cell gave the same result three times',
  error: 'the same call failed in the same way twice',
  alternation: 'two cells took turns with the same results',
  'no-progress': `${LOOKED_BACK} calls in a row failed`,
};

/** From a fresh or continued state to one verdict. */
export async function drive(strategy: Strategy, state: SessionState, ports: Ports): Promise<Verdict> {
  const { request } = state;
  let outcome: Outcome | undefined;
  try {
    if (state.strategy === null) {
      const opened = await takeStep(state, ports, 'open', { request });
      state.seq = opened.seq + 1;
      Object.assign(state, newCounts());
      const answered = opened.verdicts.find((verdict) => verdict.request === request.id);
      if (answered) return answered;
      state.strategy = strategy.start(request);
    }
    const steps = governed(state, ports, strategy.bounded === true);
    while (!outcome) {
      await ports.boundary();
      state.facts.push({ kind: 'turn', n: state.turn, state: state.strategy });
      state.turn += 1;
      const turn = await strategy.turn(state.strategy, steps);
      if ('outcome' in turn) outcome = turn.outcome;
      else state.strategy = turn.state;
    }
  } catch (error) {
    if (!(error instanceof Halt)) throw error;
    outcome = error.outcome;
    state.proposal = null;
  }
  const script = outcome.script && 'hash' in outcome.script ? outcome.script.hash : undefined;
  const verdict: Verdict = { request: request.id, status: outcome.status, ...(outcome.reason ? { reason: outcome.reason } : {}), ...(script ? { script } : {}) };
  await takeStep(state, ports, 'close', { verdict });
  return verdict;
}
