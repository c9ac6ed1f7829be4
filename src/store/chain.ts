/**
 * The record chain of one session on a file system. Owns records/, memo/, head and runs; blobs are beside it.
 * Invariants:
 * (1) a file is complete before it has its name: write, fdatasync when `host`, link;
 * (2) memo/<key> is the commit point: the first link wins, and every later writer reads the winner;
 * (3) records/<hash> is the same inode as its memo; whoever meets the memo completes that link;
 * (4) every read is verified against its name;
 * (5) `head` moves only to a record whose activity was scheduled later: a cancelled call that ends after `close` can't move it back.
 * On a file system a cold walk follows parents link by link; an index would only pay where each read is a round trip.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, fdatasyncSync, openSync, readFileSync, readSync, readdirSync, renameSync, rmSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { canonical } from '../session/canonical.js';
import { Nl2codeError } from '../session/error-table.js';
import type { Hash } from '../session/json.js';
import type { StepCall } from '../session/step.js';
import { addSpent, NOTHING_SPENT, type Spent } from '../session/usage.js';
import type { StepRecord } from '../session/step-record.js';
import { sha256 } from './blobs.js';
import { linkIfAbsent, shareFile, syncFolder, writeTemporary, writing, type Durability } from './file.js';
import { memoKey } from './memo-key.js';
import { RunOrder, type ActivityName } from './run-order.js';

/** A record with its name. */
export interface Link {
  hash: Hash;
  record: StepRecord;
}

/** What died before it was stored, for one step. */
export interface LostAttempts {
  calls: number;
  reservedUsd: number;
  reservedTokens: number;
}

/** What a model call may come to at most. */
export interface Reservation {
  usd: number;
  tokens: number;
}

const total = (reservations: readonly Reservation[]): LostAttempts => ({
  calls: reservations.length,
  reservedUsd: reservations.reduce((sum, { usd }) => sum + usd, 0),
  reservedTokens: reservations.reduce((sum, { tokens }) => sum + tokens, 0),
});

/** No attempt was lost. */
export const NOTHING_LOST: LostAttempts = total([]);

/** What lost attempts have cost: all that was reserved for them. Pure. */
export function lostSpent({ calls, reservedUsd, reservedTokens }: LostAttempts): Spent {
  return addSpent(NOTHING_SPENT, { ...NOTHING_SPENT, lostCalls: calls, costUsd: reservedUsd, lostTokens: reservedTokens });
}

const HEAD_BYTES = 64 + 1 + 15;

export class Chain {
  private tail: { head: Hash | null; links: Link[] } | undefined;
  private readonly records: string;
  private readonly memos: string;
  private readonly runs: RunOrder;

  constructor(
    private readonly folder: string,
    private readonly durability: Durability,
  ) {
    this.records = join(folder, 'records');
    this.memos = join(folder, 'memo');
    this.runs = new RunOrder(join(folder, 'runs'));
  }

  /** The finished record of a step, if any attempt has stored one. */
  memo(key: Hash): Link | undefined {
    let bytes: Buffer;
    try {
      bytes = readFileSync(join(this.memos, key));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    const hash = sha256(bytes);
    linkIfAbsent(join(this.memos, key), join(this.records, hash));
    // Whoever made these names may have died before it synced them.
    syncFolder(this.memos, this.durability);
    syncFolder(this.records, this.durability);
    return { hash, record: parseRecord(bytes, hash) };
  }

  /** The finished record of a step for a later attempt, which takes over what the first may not have lived to do: the head points to it. */
  recall(key: Hash, order: number): Link | undefined {
    const link = this.memo(key);
    if (link) this.point(link.hash, order);
    return link;
  }

  /** Put-if-absent; returns the winner, whoever it is. `order` is the step's place in the session. */
  commit(key: Hash, record: StepRecord, order: number): Link {
    const link = writing('A step record', () => {
      const bytes = canonical(record);
      const hash = sha256(bytes);
      const temporary = writeTemporary(this.folder, bytes, this.durability);
      const won = linkIfAbsent(temporary, join(this.memos, key));
      if (won) linkIfAbsent(temporary, join(this.records, hash));
      unlinkSync(temporary);
      syncFolder(this.memos, this.durability);
      syncFolder(this.records, this.durability);
      return won ? { hash, record } : this.memo(key)!;
    });
    this.point(link.hash, order);
    if (this.tail && this.tail.head === link.record.parent) this.tail = { head: link.hash, links: [...this.tail.links, link] };
    return link;
  }

  /** What attempts of a step began and nobody withdrew: lost, as long as the step has no record. */
  lost(key: Hash): LostAttempts {
    return total(this.marks(key, () => true));
  }

  /** Marks that an attempt begins an outside effect that costs; `withdraw` takes the mark. */
  begin(key: Hash, parent: Hash | null, { usd, tokens }: Reservation): string {
    const mark = `${key}.try-${randomBytes(6).toString('hex')}`;
    writing('A reservation', () => {
      const temporary = writeTemporary(this.folder, `${usd} ${tokens} ${parent ?? ''}`, this.durability);
      renameSync(temporary, join(this.memos, mark));
      syncFolder(this.memos, this.durability);
    });
    return mark;
  }

  /** Settles an attempt that is known to have cost nothing, e.g. a call the endpoint refused. */
  withdraw(mark: string): void {
    rmSync(join(this.memos, mark), { force: true });
  }

  /** What was begun after one of these records and no record among them accounts for: steps that were given up, and attempts that lost a race. */
  unaccounted(links: readonly Link[]): LostAttempts {
    const parents = new Set(links.map(({ hash }) => hash));
    const accounted = new Map(links.map(({ record }) => [memoKey(record as unknown as StepCall), record.spent.calls + record.spent.lostCalls]));
    return total(
      this.marks('', (key, parent) => {
        if (!parents.has(parent)) return false;
        const left = accounted.get(key) ?? 0;
        accounted.set(key, left - 1);
        return left <= 0;
      }),
    );
  }

  /** Reservations of the marked attempts whose key begins so, in no order. A mark that was not finished has no name. */
  private marks(prefix: string, wanted: (key: Hash, parent: Hash) => boolean): Reservation[] {
    const names = readdirSync(this.memos).filter((name) => name.startsWith(prefix) && name.includes('.try-'));
    return names.flatMap((name) => {
      const [usd, tokens, parent] = readFileSync(join(this.memos, name), 'utf8').split(' ');
      return wanted(name.split('.')[0]!, parent!) ? [{ usd: Number(usd) || 0, tokens: Number(tokens) || 0 }] : [];
    });
  }

  /** Goes on from records of another chain, oldest first and from its first one, into this empty one: its steps up to there are answered from the memo. */
  takeOver(links: readonly Link[], from: Chain): void {
    for (const { hash, record } of links) {
      shareFile(join(from.records, hash), join(this.records, hash), this.durability);
      linkIfAbsent(join(this.records, hash), join(this.memos, memoKey(record as unknown as StepCall)));
    }
    for (const folder of [this.records, this.memos]) syncFolder(folder, this.durability);
    this.point(links.at(-1)!.hash, 0);
  }

  record(hash: Hash): StepRecord {
    if (!/^[0-9a-f]{64}$/.test(hash)) throw new Nl2codeError('store-corrupt', 'A record name is malformed.');
    let bytes: Buffer;
    try {
      bytes = readFileSync(join(this.records, hash));
    } catch (error) {
      throw new Nl2codeError('store-corrupt', `Step record ${hash.slice(0, 12)} is missing.`, { cause: error });
    }
    if (sha256(bytes) !== hash) throw new Nl2codeError('store-corrupt', `Step record ${hash.slice(0, 12)} does not hold what its name says.`);
    return parseRecord(bytes, hash);
  }

  /** The chain up to `head`, oldest first. A warm call that follows a commit costs nothing. */
  walk(head: Hash | null): readonly Link[] {
    if (this.tail && this.tail.head === head) return this.tail.links;
    const known = new Map(this.tail?.links.map((link, i) => [link.hash, i]));
    const links: Link[] = [];
    for (let hash = head; hash; ) {
      const at = known.get(hash);
      if (at !== undefined) {
        links.push(...this.tail!.links.slice(0, at + 1).reverse());
        break;
      }
      const record = this.record(hash);
      links.push({ hash, record });
      hash = record.parent;
    }
    this.tail = { head, links: links.reverse() };
    return this.tail.links;
  }

  /** The links after `known` up to the head, oldest first; the whole chain when `known` is not in it. Reads no other. */
  since(known: Hash | null): Link[] {
    const head = this.head();
    if (this.tail && this.tail.head === head) return this.tail.links.slice(this.tail.links.findIndex(({ hash }) => hash === known) + 1);
    const links: Link[] = [];
    for (let hash = head; hash && hash !== known; ) {
      const record = this.record(hash);
      links.push({ hash, record });
      hash = record.parent;
    }
    return links.reverse();
  }

  /** The newest record any finished step pointed to; null for a session without one. */
  head(): Hash | null {
    try {
      return readFileSync(join(this.folder, 'head'), 'utf8').slice(0, 64) || null;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  }

  /** A step's place among all steps of the session, the same for each attempt of it; see run-order.ts. */
  order(activity: ActivityName): number {
    return this.runs.of(activity, this.pointed());
  }

  /** The place of the step that the head points to; 0 without one. */
  private pointed(): number {
    try {
      const head = readFileSync(join(this.folder, 'head'), 'latin1');
      return head.length === HEAD_BYTES ? Number(head.slice(65)) : 0;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
      throw error;
    }
  }

  /** Written in place: replacing the file costs a third of a millisecond a step. */
  private point(hash: Hash, order: number): void {
    const fd = openSync(join(this.folder, 'head'), constants.O_CREAT | constants.O_RDWR, 0o600);
    try {
      const was = Buffer.alloc(HEAD_BYTES);
      const n = readSync(fd, was, 0, HEAD_BYTES, 0);
      if (n === HEAD_BYTES && Number(was.toString('latin1', 65)) > order) return;
      writeSync(fd, `${hash} ${String(Math.max(0, Math.trunc(order))).padStart(15, '0')}`, 0);
      if (this.durability === 'host') fdatasyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }
}

function parseRecord(bytes: Buffer, hash: Hash): StepRecord {
  const record = JSON.parse(bytes.toString('utf8')) as StepRecord;
  if (record.v !== 1) throw new Nl2codeError('store-version', `Step record ${hash.slice(0, 12)} is of version ${String(record.v)}, this is version 1.`);
  return record;
}
