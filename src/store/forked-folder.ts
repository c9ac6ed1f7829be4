/**
 * Makes the folder of a session that goes on from another one's past. Host side; the other may be at work meanwhile.
 * Invariants:
 * (1) the folder is there whole or not at all: it is made elsewhere, and renamed last;
 * (2) what both have is shared by link and never changed by either; nothing is read across sessions afterwards;
 * (3) it holds what its records name and what calls of its cells were told, and nothing that came after them.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identityOf, isAlive } from '../embedded/process-identity.js';
import { Nl2codeError } from '../session/error-table.js';
import type { Hash, TextRef } from '../session/json.js';
import type { Link } from './chain.js';
import { shareFile, syncFolder, writing } from './file.js';
import { discardTree } from './hostile-tree.js';
import { requests } from './read-result.js';
import { SessionFolder, type ForkedFrom, type SessionStore } from './session-store.js';
import type { ToolMemo } from './tool-memo.js';

/** What a folder is made of. */
export interface ForkedPast {
  /** Id of the new session. */
  session: string;
  from: ForkedFrom;
  /** Records of the other's chain from its first on. */
  links: readonly Link[];
  /** What is told to who asks again for a call that has no answer. */
  unanswered: Parameters<ToolMemo['takeOver']>[2];
}

const HASH = /\b[0-9a-f]{64}\b/g;

/** Makes the folder; `more` may put further things into it before it gets its name. Throws `bad-request` when the session is there already. */
export async function makeForkedFolder<T>(store: SessionStore, { session, from, links, unanswered }: ForkedPast, more: (folder: SessionFolder) => Promise<T>): Promise<T> {
  const parent = store.at(from.session);
  const target = store.at(session).path;
  const room = join(store.root, 'forks');
  const making = join(room, placeName());
  mkdirSync(room, { recursive: true, mode: 0o700 });
  await sweep(room);
  try {
    const folder = new SessionFolder(making, store.durability).create();
    folder.nameIt(session);
    writeFileSync(join(making, 'forked.json'), JSON.stringify(from), { mode: 0o600 });
    folder.blobs.takeOver(blobsOf(parent, links), parent.blobs);
    for (const [there, here, refs] of filesOf(parent, folder, links)) {
      for (const { name } of refs) shareFile(join(there, name), join(here, name), store.durability);
      syncFolder(here, store.durability);
    }
    folder.tools.takeOver(parent.tools, from.cell, unanswered);
    const found = await more(folder);
    folder.chain.takeOver(links, parent.chain);
    syncFolder(making, store.durability);
    mkdirSync(join(store.root, 'sessions'), { recursive: true });
    renameSync(making, target);
    syncFolder(join(store.root, 'sessions'), store.durability);
    return found;
  } catch (error) {
    await discardTree(making);
    if (['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw taken(session);
    return writing('A fork', () => {
      throw error;
    });
  }
}

/** Why a session can't be made. */
export function taken(session: string): Nl2codeError {
  return new Nl2codeError('bad-request', `There is a session ${JSON.stringify(session)} already: give the fork another id.`, { remedy: '' });
}

/** Whatever the records may be read for: hashes are found where they stand, so a record of another form can't lose one. */
function blobsOf({ blobs }: SessionFolder, links: readonly Link[]): Set<Hash> {
  const texts = links.flatMap(({ record }) => {
    const { reply, observation, tools } = record.refs;
    const kept = [reply, observation, tools, record.sent?.add].filter((ref): ref is TextRef => ref !== undefined);
    return [JSON.stringify(record), ...kept.map((ref) => blobs.text(ref))];
  });
  return new Set(texts.flatMap((text) => text.match(HASH) ?? []));
}

/** Files that were admitted up to there: where they are, where they go to, and their names. */
function filesOf(parent: SessionFolder, folder: SessionFolder, links: readonly Link[]): [string, string, { name: string }[]][] {
  const asked = requests(links.map(({ record }) => record));
  const once = (refs: { name: string }[]) => [...new Map(refs.map((ref) => [ref.name, ref])).values()];
  return [
    [parent.inputs, folder.inputs, once(asked.flatMap(({ inputs }) => inputs))],
    [parent.truth, folder.truth, once(asked.flatMap(({ truth }) => truth))],
  ];
}

/** Names who makes it, so that what a dead process has left can be told from what is being made. */
function placeName(): string {
  const { startTime } = identityOf(process.pid)!;
  return `${process.pid}.${Buffer.from(startTime).toString('hex')}.${randomBytes(6).toString('hex')}`;
}

/** Removes what processes that are gone have left half made. */
async function sweep(room: string): Promise<void> {
  for (const name of readdirSync(room)) {
    const [pid, startTime] = name.split('.');
    if (!isAlive({ pid: Number(pid), startTime: Buffer.from(startTime ?? '', 'hex').toString() })) await discardTree(join(room, name));
  }
}
