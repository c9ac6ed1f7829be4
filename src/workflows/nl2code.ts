/** Declares messages, waits and continues as new; rules live in session-state and drive. Deterministic: no I/O, clock or randomness of its own. */
import * as wf from '@temporalio/workflow';
import type { StepActivities } from '../activities/activities.js';
import type { Decision } from '../session/decision.js';
import type { Hash } from '../session/json.js';
import type { Request } from '../session/request.js';
import { decisionProblem, enqueue, followUpProblem, ignore, newSession, requestProblem, settle, stop, takeNext, type SessionState } from '../session/session-state.js';
import type { SentCall, StepCall, StepKind, StepReply } from '../session/step.js';
import type { Spent } from '../session/usage.js';
import type { Verdict } from '../session/verdict.js';
import { stepSummary } from '../session/run-text.js';
import { drive, type Ports } from '../strategies/drive.js';
import { strategies } from '../strategies/strategies.js';
import { Halt } from '../strategies/strategy.js';
import { decideSignal, decideUpdate, followUpUpdate, snapshotQuery, stopSignal, type DecideInput } from './messages.js';
import { createRunPage } from './run-page.js';

/** A request, or what a run carried over: continue-as-new alone sends the latter. */
export type Nl2codeInput = { request: Request; carried?: undefined } | { request?: Request; carried: SessionState };

export interface Nl2codeResult {
  head: Hash | null;
  verdict: Verdict;
  spent: Spent;
}

const retry = { initialInterval: '1s', maximumInterval: '60s', maximumAttempts: 12 } as const;
/** Every activity has a heartbeat time-out, also those of milliseconds: a start that nobody received is then retried within seconds. */
const heartbeatTimeout = '5s';
const asking = wf.proxyActivities<StepActivities>({ heartbeatTimeout, startToCloseTimeout: '15m', cancellationType: 'TRY_CANCEL', retry });
const executing = wf.proxyActivities<StepActivities>({ heartbeatTimeout, startToCloseTimeout: '2h', cancellationType: 'WAIT_CANCELLATION_COMPLETED', retry });

/**
 * One run of a session: a request and what follows it while it runs, each to its verdict. The workflow id is the session id; who waits
 * for a request waits for its id in the session's chain, since a run that goes on returns the last verdict only.
 */
export async function nl2codeWorkflow(input: Nl2codeInput): Promise<Nl2codeResult> {
  const request = input?.carried?.request ?? input?.request;
  const problem = requestProblem(request);
  // A run of an older version carries less than this one knows.
  const state = { ...newSession(wf.workflowInfo().workflowId, request as Request), ...input?.carried };
  state.stepsThisRun = 0;
  let answer: { actor: string; decision: Decision } | undefined;
  let verdict: Verdict | null = null;
  let closing = false;
  let cancelStep = () => {};
  const page = createRunPage(state);

  const take = ({ proposal, actor: given, decision }: DecideInput) => {
    const actor = named(given);
    answer = { actor, decision };
    settle(state, proposal, actor, decision);
  };
  wf.setHandler(
    decideUpdate,
    (input) => {
      take(input);
      return { accepted: true };
    },
    {
      validator: (input) => {
        const why = decisionProblem(state, input?.proposal, input?.decision);
        if (why) throw wf.ApplicationFailure.nonRetryable(why, 'stale-decision');
      },
    },
  );
  wf.setHandler(decideSignal, (input) => {
    const why = decisionProblem(state, input?.proposal, input?.decision);
    if (why) ignore(state, named(input?.proposal), named(input?.actor), why);
    else take(input);
  });
  wf.setHandler(
    followUpUpdate,
    (request) => {
      const before = enqueue(state, request);
      page.again();
      return { before };
    },
    {
      validator: (request) => {
        const why = followUpProblem(state, request);
        if (why) throw wf.ApplicationFailure.nonRetryable(why, 'bad-request');
      },
    },
  );
  wf.setHandler(stopSignal, (input) => {
    if (!stop(state, named(input?.actor), closing)) return;
    page.again();
    cancelStep();
  });
  wf.setHandler(snapshotQuery, () => ({
    request: state.request?.id,
    steps: state.stepsThisRequest,
    seq: state.seq,
    head: state.head,
    proposal: state.proposal,
    stopping: state.stopping,
    spent: state.spent,
    verdict,
    waiting: state.queue.map(({ request }) => request.id),
  }));
  // After the handlers stand: a throw before them would leave a message of the first task without its answer.
  if (problem) throw wf.ApplicationFailure.nonRetryable(problem, 'bad-request');

  const root = wf.CancellationScope.current();
  const cancelled = () => new Halt({ status: 'stopped', reason: 'cancelled through Temporal' });
  const handled = () => wf.CancellationScope.nonCancellable(() => wf.condition(wf.allHandlersFinished));
  let late = false;
  /** Why the request must not go on; undefined while it may. */
  const ended = (): Halt | undefined => {
    if (state.stopping) return new Halt({ status: 'stopped', reason: 'stopped by a person' });
    return late ? new Halt({ status: 'stopped', reason: `budget: the deadline ${state.request.budget.deadline} has passed` }) : undefined;
  };
  const ports: Ports = {
    async step<K extends StepKind>(call: StepCall<K>): Promise<StepReply<K>> {
      // A request that was accepted is opened and closed whatever happens, or its stop would have nowhere to be recorded.
      const bracket = call.kind === 'open' || call.kind === 'close';
      const over = bracket ? undefined : ended();
      if (over) throw over;
      const scope = new wf.CancellationScope({ cancellable: !bracket });
      if (bracket) closing = call.kind === 'close';
      else cancelStep = () => scope.cancel();
      const proxy = call.kind === 'execute' ? executing : asking;
      const { session: _session, kind, ...sent } = call;
      page.works(call);
      const { executeWithOptions } = proxy[`nl2code-${kind}`] as unknown as { executeWithOptions(options: wf.ActivityOptions, args: [SentCall<K>]): Promise<StepReply<K>> };
      try {
        return await scope.run(() => executeWithOptions({ summary: stepSummary(call) }, [sent]));
      } catch (error) {
        if (bracket) throw error;
        if (root.consideredCancelled) throw cancelled();
        if (error instanceof wf.ActivityFailure) throw ended() ?? haltOf(error);
        throw error;
      } finally {
        cancelStep = () => {};
      }
    },
    async decision(proposal) {
      answer = undefined;
      page.waits(proposal);
      try {
        await wf.condition(() => answer !== undefined || ended() !== undefined, state.request.approval.expiryMs, { summary: 'the approval expires' });
      } catch (error) {
        throw root.consideredCancelled ? cancelled() : error;
      }
      page.goesOn();
      const over = ended();
      if (over && !answer) throw over;
      return answer ?? { actor: 'clock', decision: { kind: 'expired' } };
    },
    async boundary() {
      // A run without a step of its own must not end: a session would continue as new for ever.
      if (state.stepsThisRun === 0) return;
      if (state.stepsThisRun < state.request.limits.stepsPerRun && !wf.workflowInfo().continueAsNewSuggested) return;
      await handled();
      await wf.continueAsNew<typeof nl2codeWorkflow>({ carried: state });
    },
  };
  do {
    verdict = null;
    late = false;
    if (state.strategy === null) page.begins();
    const clock = new wf.CancellationScope();
    const { deadline } = state.request.budget;
    if (deadline) {
      const passed = () => {
        late = true;
        cancelStep();
      };
      // oxlint-disable-next-line no-restricted-properties -- the SDK's clock, which replay sets
      const left = Date.parse(deadline) - Date.now();
      clock.run(() => wf.sleep(Math.max(1, left), { summary: 'the deadline of the request' })).then(passed, () => undefined);
    }
    verdict = await drive(strategies[state.request.strategy], state, ports);
    page.ends(verdict);
    clock.cancel();
    await handled();
  } while (takeNext(state));
  return { head: state.head, verdict, spent: state.spent };
}

/** A name in a message, as text of bounded length: what is no text must not throw in a handler. */
function named(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 300) : 'unnamed';
}

/** Infrastructure that gave up ends the request with what it has: a spent budget stops it, anything else fails it. */
function haltOf(error: wf.ActivityFailure): Halt {
  const cause = error.cause;
  const reason = cause?.message ?? error.message;
  return new Halt({ status: cause instanceof wf.ApplicationFailure && cause.type === 'budget-exceeded' ? 'stopped' : 'failed', reason });
}
