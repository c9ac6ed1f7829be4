import type { Status } from './session/verdict.js';
import { NOTHING_SPENT, type Spent } from './session/usage.js';
import type { SessionStore } from './store/session-store.js';
import { readSummary } from './store/summary.js';
import type { Snapshot } from './workflows/messages.js';

/** A verdict, or where the open request stands. `lost`: open in the store, unknown to the server. `open`: no server could be asked. */
export const SESSION_STATES = ['verified', 'unverified', 'rejected', 'stopped', 'failed', 'running', 'waiting', 'lost', 'open'] as const satisfies readonly (Status | string)[];
export type SessionState = (typeof SESSION_STATES)[number];

/** One line of a list. */
export interface SessionSummary {
  session: string;
  state: SessionState;
  /** The beginning of the last request's prompt. */
  prompt: string;
  /** null while no worker has taken the request up. */
  strategy: string | null;
  labels: Record<string, string>;
  /** When the last request began, in Unix milliseconds. */
  startedAt: number;
  /** Steps taken, without opening and closing. */
  steps: number;
  spent: Spent;
}

/** Which sessions a list shows; what is left out is not asked for. */
export interface SessionFilter {
  status?: SessionState;
  strategy?: string;
  /** Each label with its value; null for any value. */
  labels?: Record<string, string | null>;
  /** Requests that began then or later, in Unix milliseconds. */
  since?: number;
  limit?: number;
}

/** A run that Temporal's visibility calls open. */
export interface OpenRun {
  session: string;
  /** What its search attribute says; undefined where there is none. */
  status: string | undefined;
  startedAt: number;
  prompt: string;
}

/** How runs are asked about. */
export interface Runs {
  /** All open ones, as visibility lists them: a moment late. undefined when it can't be asked. */
  open(): Promise<OpenRun[] | undefined>;
  /** Whether one is open, as the server knows; undefined when it does not answer. */
  describe(session: string): Promise<{ open: boolean } | undefined>;
  snapshot(session: string): Promise<Snapshot | undefined>;
}

/** However many open sessions there are, a list is there within a few seconds; those that were not asked any more are shown as running. */
const ASK_MS = 4_000;
const AT_ONCE = 16;

/**
 * The sessions of the store, newest request first. The store says what there is and how it ended, whatever Temporal has forgotten;
 * visibility says which runs are open; where the two differ, or visibility lags, the run itself is asked.
 */
export async function listSessions(store: SessionStore, runs: Runs | null, filter: SessionFilter = {}): Promise<SessionSummary[]> {
  const listed = (await runs?.open()) ?? null;
  const open = new Map(listed?.map((run) => [run.session, run]));
  const sessions = [...stored(store), ...unopened(store, open)].filter((each) => matches(each, filter)).sort((a, b) => b.startedAt - a.startedAt || (a.session < b.session ? -1 : 1));
  // Only what is shown is asked about, unless what is asked decides what is shown.
  const candidates = filter.status === undefined ? sessions.slice(0, filter.limit) : sessions;
  const until = Date.now() + ASK_MS;
  const told: SessionSummary[] = [];
  for (let at = 0; at < candidates.length; at += AT_ONCE) {
    const some = candidates.slice(at, at + AT_ONCE);
    told.push(...(await Promise.all(some.map(async ({ verdict, ...each }) => ({ ...each, state: await stateOf({ ...each, verdict }) })))));
  }
  return told.filter(({ state }) => filter.status === undefined || state === filter.status).slice(0, filter.limit);

  async function stateOf({ session, verdict }: Known): Promise<SessionState> {
    const run = open.get(session);
    if (verdict && !run) return verdict;
    if (!runs || !listed) return verdict ?? 'open';
    if (Date.now() > until) return verdict ?? 'running';
    if (!run || verdict) {
      const seen = await runs.describe(session);
      if (!seen) return verdict ?? 'open';
      // It may have ended since its summary was read.
      if (!seen.open) return verdict ?? readSummary(store.at(session))?.verdict ?? 'lost';
    }
    if (run?.status !== undefined) return run.status === 'waiting' ? 'waiting' : 'running';
    return (await runs.snapshot(session))?.proposal ? 'waiting' : 'running';
  }
}

/** A session before its state is known. */
type Known = Omit<SessionSummary, 'state'> & { verdict: Status | null };

function* stored(store: SessionStore): Generator<Known> {
  for (const session of store.list()) {
    const summary = readSummary(store.at(session));
    if (!summary) continue;
    const { prompt, strategy, labels, startedAt, steps, spent, verdict } = summary;
    yield { session, prompt, strategy, labels, startedAt, steps, spent, verdict };
  }
}

/** Sessions of the store that no worker has taken up yet. A run that is none of this store's is somebody else's. */
function* unopened(store: SessionStore, open: ReadonlyMap<string, OpenRun>): Generator<Known> {
  for (const { session, prompt, startedAt } of open.values()) {
    if (!store.has(session) || store.at(session).chain.head() !== null) continue;
    yield { session, prompt, strategy: null, labels: {}, startedAt, steps: 0, spent: NOTHING_SPENT, verdict: null };
  }
}

function matches({ strategy, labels, startedAt }: Known, filter: SessionFilter): boolean {
  if (filter.strategy !== undefined && strategy !== filter.strategy) return false;
  if (filter.since !== undefined && startedAt < filter.since) return false;
  return Object.entries(filter.labels ?? {}).every(([key, value]) => Object.hasOwn(labels, key) && (value === null || labels[key] === value));
}
