import { forkCheckpoint } from './sandbox/fork-checkpoint.js';
import { Nl2codeError } from './session/error-table.js';
import type { Hash } from './session/json.js';
import type { StepIO } from './session/step.js';
import type { Link } from './store/chain.js';
import { makeForkedFolder, taken } from './store/forked-folder.js';
import { requests } from './store/read-result.js';
import type { SessionStore } from './store/session-store.js';
import { unknownEffect, WHY_UNKNOWN } from './tools/sentences.js';

/** Which session, after which of its steps, and the id of the new one. */
export interface ForkOptions {
  from: string;
  /** A cell of its kernel, counted from 0, or any record of its chain. */
  at: { cell: number } | { record: Hash };
  to: string;
}

/** A session that was forked. */
export interface ForkedSession {
  session: string;
  /** Its newest record, which the other has too. */
  head: Hash;
  /** The last cell up to it; -1 when there is none. */
  cell: number;
  /** The last cell whose state it has; cells after it up to `cell` run again, with the tools' answers they had, when it goes on. */
  kept: number;
}

/**
 * Makes a new session that has the past of another up to a step, and an independent future: its records and blobs, its inputs, the state of its
 * kernel and what its tools answered, but not what makes the keys of calls. The other may be at work. Temporal knows nothing of it: what a run
 * of the new id asks for as the other did, from the open request on, is answered from the memo. Host side. Throws `not-found`, `bad-request`,
 * `store-corrupt` and `store-full`; then nothing is left of it.
 */
export async function forkSession(store: SessionStore, { from, at, to }: ForkOptions): Promise<ForkedSession> {
  if (!store.has(from)) throw new Nl2codeError('not-found', `There is no session ${JSON.stringify(from)}.`);
  if (to === '') throw new Nl2codeError('bad-request', 'A fork needs an id of its own.', { remedy: '' });
  if (store.has(to)) throw taken(to);
  const parent = store.at(from);
  const links = upTo(from, parent.chain.walk(parent.chain.head()), at);
  const head = links.at(-1)!.hash;
  const cell = cellsOf(links).length - 1;
  // The highest that its sandbox has had.
  const diskBytes = Math.max(0, ...requests(links.map(({ record }) => record)).map(({ limits }) => limits.diskBytes));
  const past = {
    session: to,
    from: { session: from, record: head, cell, first: parent.forked?.first ?? from },
    links,
    unanswered: (place: { k: number; call: number }, { name, sha, at: began }: { name: string; sha: Hash; at: number }) => ({ name, sha, at: began, ms: null, ok: false as const, error: unknownEffect({ ...place, name }, WHY_UNKNOWN.forked) }),
  };
  const kept = await makeForkedFolder(store, past, async (folder) => {
    try {
      return (await forkCheckpoint(parent.sandbox, cell, folder.sandbox, diskBytes)).head;
    } catch (error) {
      // Its kernel never started, or nothing of it is left: all that it ran runs again.
      if (error instanceof Nl2codeError && error.code === 'not-found') return -1;
      throw error;
    }
  });
  return { session: to, head, cell, kept };
}

/** The records from the first one to the one that is named. */
function upTo(session: string, links: readonly Link[], at: ForkOptions['at']): readonly Link[] {
  if ('record' in at) {
    const end = links.findIndex(({ hash }) => hash === at.record);
    if (end < 0) throw new Nl2codeError('bad-request', `${JSON.stringify(at.record.slice(0, 64))} is no record of session ${session}: nl2code show --trace prints those it has.`, { remedy: '' });
    return links.slice(0, end + 1);
  }
  const cells = cellsOf(links);
  const end = cells[at.cell];
  if (end === undefined) {
    const has = cells.length === 0 ? 'has run no cell yet' : `has run cells 0 to ${cells.length - 1}`;
    throw new Nl2codeError('bad-request', `Session ${session} has no cell ${at.cell} to fork at: it ${has}.`, { remedy: '' });
  }
  return links.slice(0, end + 1);
}

/** Where the cells of the session's kernel stand, by their number. */
function cellsOf(links: readonly Link[]): number[] {
  return links.flatMap(({ record }, at) => (record.kind === 'execute' && (record.args as unknown as StepIO['execute']['args']).target !== 'script' ? [at] : []));
}
