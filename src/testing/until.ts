import type { Proposal } from '../session/decision.js';
import type { Result } from '../session/result.js';
import type { Followed } from '../follow.js';

export interface UntilOptions {
  /** Id of the request; the session's last one when missing. */
  request?: string;
  /** 60,000 when missing. */
  timeoutMs?: number;
}

/** What is followed: an `Nl2codeClient` does. */
interface Follower {
  follow(session: string, options: { request?: string; signal?: AbortSignal }): AsyncIterable<Followed>;
}

/** Waits until a request asks a person. Throws an `Error` with the verdict when it ends without, or after `timeoutMs` with what it was doing. */
export async function untilProposal(client: Follower, session: string, options: UntilOptions = {}): Promise<Proposal> {
  return until(client, session, options, 'a proposal', (seen) => {
    if (seen.kind === 'snapshot') return seen.snapshot.proposal ?? undefined;
    if (seen.kind === 'end') throw new Error(`Session ${session} ended without a proposal: ${seen.result ? `${seen.result.status}, ${seen.result.reason ?? 'no reason'}` : seen.why}.`);
    return undefined;
  });
}

/** Waits for the result of a request. Throws an `Error` when its run ends without one, or after `timeoutMs` with what it was doing. */
export async function untilResult(client: Follower, session: string, options: UntilOptions = {}): Promise<Result> {
  return until(client, session, options, 'a result', (seen) => {
    if (seen.kind !== 'end') return undefined;
    if (!seen.result) throw new Error(`Session ${session} has no result: ${seen.why}.`);
    return seen.result;
  });
}

async function until<T>(client: Follower, session: string, { request, timeoutMs = 60_000 }: UntilOptions, what: string, find: (seen: Followed) => T | undefined): Promise<T> {
  let last = 'nothing has happened: is a worker with the plugin running on its task queue?';
  for await (const seen of client.follow(session, { ...(request === undefined ? {} : { request }), signal: AbortSignal.timeout(timeoutMs) })) {
    const found = find(seen);
    if (found !== undefined) return found;
    if (seen.kind === 'event') last = `last seen: ${seen.event.kind} of step ${seen.event.seq} ${seen.event.step}, attempt ${seen.event.attempt}${seen.event.kind === 'step-failed' ? ` (${JSON.stringify(seen.event.data)})` : ''}`;
  }
  throw new Error(`Session ${session} has not come to ${what} within ${timeoutMs} ms; ${last}.`);
}
