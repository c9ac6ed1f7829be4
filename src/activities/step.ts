import { ApplicationFailure, Context } from '@temporalio/activity';
import type { Json } from '../session/json.js';
import type { StepCall, StepKind, StepReply } from '../session/step.js';
import type { StepRecord } from '../session/step-record.js';
import { NOTHING_SPENT, type Spent } from '../session/usage.js';
import { toActivityFailure } from '../model/classify-error.js';
import type { Link } from '../store/chain.js';
import type { EventWriter } from '../store/event-log.js';
import { memoKey } from '../store/memo-key.js';
import type { SessionFolder } from '../store/session-store.js';
import { cancellationOf } from './cancellation.js';
import type { StepWorld } from './world.js';

/** What an effect works with. */
export interface StepScene<K extends StepKind> {
  call: StepCall<K>;
  folder: SessionFolder;
  /** Records up to the parent, oldest first. */
  past: readonly Link[];
  key: string;
  attempt: number;
  /** The step's place in the session; with `attempt` it fences older ones. */
  order: number;
  events: EventWriter;
  signal: AbortSignal;
}

/** What an effect leaves: the small value, and what the record points to. */
export interface StepDone {
  value: Json;
  refs?: StepRecord['refs'];
  sent?: StepRecord['sent'];
  spent?: Spent;
}

const BEAT_MS = 500;

/**
 * The one body of every step: answer from the memo, else run the effect and commit its record.
 * The memo is written before the result is reported, so a lost completion costs a lookup and never a second effect.
 */
export async function step<K extends StepKind>(world: StepWorld, call: StepCall<K>, effect: (scene: StepScene<K>) => Promise<StepDone>): Promise<StepReply<K>> {
  const context = Context.current();
  const { attempt } = context.info;
  const folder = world.store.session(call.session);
  const order = folder.chain.order({ runId: context.info.workflowExecution!.runId, activityId: context.info.activityId });
  const events = folder.events({ seq: call.seq, attempt, step: call.kind });
  const key = memoKey(call as StepCall);
  const { signal, letGo } = cancellationOf(context);
  const beat = setInterval(() => context.heartbeat(), BEAT_MS);
  try {
    const known = folder.chain.recall(key, order);
    if (known) return toReply(known);
    events.emit('step-started', { worker: process.pid, ...(call.ask ? { ask: call.ask } : {}) });
    // What was handed over goes on in the background: if it still ends here, its record answers the next attempt.
    return toReply(await Promise.race([perform({ call, folder, past: folder.chain.walk(call.parent), key, attempt, order, events, signal }, effect), letGo]));
  } catch (error) {
    if (signal.aborted) throw error;
    const failure = toActivityFailure(error);
    const final = failure instanceof ApplicationFailure && failure.nonRetryable === true;
    events.emit('step-failed', { code: failure instanceof ApplicationFailure ? (failure.type ?? null) : null, message: failure.message, retryable: !final });
    throw failure;
  } finally {
    clearInterval(beat);
  }
}

async function perform<K extends StepKind>(scene: StepScene<K>, effect: (scene: StepScene<K>) => Promise<StepDone>): Promise<Link> {
  const { call, folder, key, order, events } = scene;
  const startedAt = Date.now();
  const done = await effect(scene);
  const link = folder.chain.commit(
    key,
    {
      v: 1,
      parent: call.parent,
      seq: call.seq,
      kind: call.kind,
      ...(call.ask ? { ask: call.ask } : {}),
      args: call.args as unknown as Json,
      facts: call.facts,
      value: done.value,
      refs: done.refs ?? {},
      ...(done.sent ? { sent: done.sent } : {}),
      spent: done.spent ?? NOTHING_SPENT,
      startedAt,
      ms: Date.now() - startedAt,
    },
    order,
  );
  events.emit('step-finished', { value: link.record.value, ms: link.record.ms, spent: link.record.spent as unknown as Json });
  return link;
}

function toReply<K extends StepKind>({ hash, record }: Link): StepReply<K> {
  return { head: hash, value: record.value as never, ...(record.spent.calls + record.spent.lostCalls > 0 ? { spent: record.spent } : {}) };
}
