import type { SessionEvent } from './session/event.js';
import type { Result } from './session/result.js';
import { readResult } from './store/read-result.js';
import type { SessionFolder } from './store/session-store.js';
import type { Snapshot } from './workflows/messages.js';

/** What a follower sees: live events with the offset to resume at, the run's snapshots, and exactly one end. */
export type Followed =
  | { kind: 'event'; event: SessionEvent; next: number }
  | { kind: 'snapshot'; snapshot: Snapshot }
  /** `result` is null when the run ended without a verdict: `why` says how. */
  | { kind: 'end'; result: Result | null; why: string | null };

export interface FollowOptions {
  /** Id of the request to follow; default: the last one. */
  request?: string;
  from?: number;
  signal?: AbortSignal;
  snapshot(): Promise<Snapshot | undefined>;
  describe(): Promise<{ open: boolean; status: string } | undefined>;
}

const POLL_MS = 100;
const SNAPSHOT_EVERY = 4;
const DESCRIBE_EVERY = 20;

/** Follows a session by its event log, its chain and its run. The server may be away in between. */
export async function* followSession(folder: SessionFolder, session: string, options: FollowOptions): AsyncGenerator<Followed> {
  let at = options.from ?? 0;
  let seen = '';
  function* newEvents(): Generator<Followed> {
    const { events, next, ends } = folder.readEvents(at);
    at = next;
    for (const [i, event] of events.entries()) yield { kind: 'event', event, next: ends[i]! };
  }
  for (let round = 0; !options.signal?.aborted; round += 1) {
    const result = readResult(folder, session, options.request);
    yield* newEvents();
    if (result) return yield { kind: 'end', result, why: null };
    if (round % SNAPSHOT_EVERY === 0) {
      const snapshot = await options.snapshot();
      const text = JSON.stringify(snapshot);
      if (snapshot && text !== seen) {
        // What led to it stands in the log by now, and is seen first.
        yield* newEvents();
        yield { kind: 'snapshot', snapshot };
      }
      seen = text ?? seen;
    }
    if (round % DESCRIBE_EVERY === DESCRIBE_EVERY - 1) {
      const run = await options.describe();
      if (run && !run.open && !readResult(folder, session, options.request)) return yield { kind: 'end', result: null, why: `the run ended as ${run.status} without a verdict` };
    }
    await pause(POLL_MS, options.signal);
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}
