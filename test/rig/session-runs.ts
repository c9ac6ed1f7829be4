import type { WorkflowClient } from '@temporalio/client';
import type { StepKind } from '../../src/session/step.js';

/** What happened in the runs of a session, in the order of their histories. An update that was refused leaves nothing there. */
export type Entry =
  | { what: 'begin'; /** It goes on from a run before it. */ continued: boolean }
  | { what: 'step'; step: StepKind }
  | { what: 'signal' | 'update'; name: string }
  | { what: 'hand-over' };

export interface SessionRuns {
  entries: Entry[];
  /** Why workflow tasks failed; Temporal runs each again. */
  failedTasks: string[];
  /** Workflow tasks that no worker answered in time. */
  lostTasks: number;
}

/** Reads the runs of a session: those from its first one on, and those from the one that a later follow-up started. */
export async function readRuns(client: WorkflowClient, session: string, first: string): Promise<SessionRuns> {
  const runs: SessionRuns = { entries: [], failedTasks: [], lostTasks: 0 };
  for (const start of new Set([first, await firstRunOf(client, session)])) {
    for (let run: string | undefined = start; run !== undefined; run = await readRun(client, session, run, runs));
  }
  return runs;
}

/** Id of the first of the runs that the last one goes on from. */
export async function firstRunOf(client: WorkflowClient, session: string): Promise<string> {
  return (await client.getHandle(session).describe()).raw.workflowExecutionInfo!.firstRunId!;
}

/** Adds a run, and gives the id of the one it handed over to. */
async function readRun(client: WorkflowClient, session: string, run: string, runs: SessionRuns): Promise<string | undefined> {
  const { events } = await client.getHandle(session, run).fetchHistory();
  const found: [at: number, entry: Entry][] = [];
  let next: string | undefined;
  for (const event of events ?? []) {
    const at = Number(event.eventId);
    const begin = event.workflowExecutionStartedEventAttributes;
    const step = event.activityTaskScheduledEventAttributes?.activityType?.name;
    const signal = event.workflowExecutionSignaledEventAttributes?.signalName;
    const accepted = event.workflowExecutionUpdateAcceptedEventAttributes;
    if (begin) found.push([at, { what: 'begin', continued: Boolean(begin.continuedExecutionRunId) }]);
    if (step) found.push([at, { what: 'step', step: step.replace('nl2code-', '') as StepKind }]);
    if (signal) found.push([at, { what: 'signal', name: signal }]);
    // It was handled after this event, and is written down at the end of its workflow task.
    if (accepted) found.push([Number(accepted.acceptedRequestSequencingEventId) + 0.5, { what: 'update', name: accepted.acceptedRequest?.input?.name ?? '' }]);
    if (event.workflowTaskFailedEventAttributes) runs.failedTasks.push(event.workflowTaskFailedEventAttributes.failure?.message ?? 'without a word');
    if (event.workflowTaskTimedOutEventAttributes) runs.lostTasks += 1;
    next = event.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? undefined;
  }
  runs.entries.push(...found.sort(([a], [b]) => a - b).map(([, entry]) => entry));
  if (next !== undefined) runs.entries.push({ what: 'hand-over' });
  return next;
}

/** How many messages came while one run handed over to the next: after the last step of the one, or before the first of the other. */
export function atHandOver(entries: readonly Entry[]): number {
  return entries.filter(({ what }, i) => {
    if (what !== 'signal' && what !== 'update') return false;
    const next = entries.slice(i).find((entry) => entry.what === 'step' || entry.what === 'hand-over' || entry.what === 'begin');
    const last = entries.slice(0, i).findLast((entry) => entry.what === 'step' || entry.what === 'begin');
    return next?.what === 'hand-over' || (last?.what === 'begin' && last.continued);
  }).length;
}
