import { mkdtempSync, readFileSync, readdirSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { memoKey } from '../../src/store/memo-key.js';
import { NOTHING_SPENT } from '../../src/session/usage.js';
import { SessionStore, folderName, type SessionFolder } from '../../src/store/session-store.js';
import type { StepCall } from '../../src/session/step.js';
import { record } from './record.js';

let root: string;
let folder: SessionFolder;
const key = (n: number) => String(n).padStart(64, '0');

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'nl2code-store-'));
  folder = new SessionStore(root).session('s1');
});

/** A chain of `n` records; returns their hashes. */
function grow(n: number): string[] {
  const hashes: string[] = [];
  for (let i = 0; i < n; i += 1) hashes.push(folder.chain.commit(key(i), record({ parent: hashes.at(-1) ?? null, seq: i }), i + 1).hash);
  return hashes;
}

describe('chain', () => {
  test('the first commit of a key wins and a loser is handed the winner', () => {
    const first = folder.chain.commit(key(1), record({ value: 'first' }), 1);
    const second = folder.chain.commit(key(1), record({ value: 'second' }), 2);
    expect(second).toEqual(first);
    expect(folder.chain.memo(key(1))).toEqual(first);
  });

  test('a memo and its record are one file', () => {
    const { hash } = folder.chain.commit(key(1), record(), 1);
    expect(statSync(join(folder.path, 'records', hash)).ino).toBe(statSync(join(folder.path, 'memo', key(1))).ino);
  });

  test('a record whose link was lost between the two names is completed by whoever meets the memo', () => {
    const { hash } = folder.chain.commit(key(1), record(), 1);
    unlinkSync(join(folder.path, 'records', hash));
    const other = new SessionStore(root).session('s1');
    expect(other.chain.memo(key(1))?.hash).toBe(hash);
    expect(other.chain.record(hash)).toEqual(record());
  });

  test('a walk gives every record from the first to the head, warm and cold alike', () => {
    const hashes = grow(120);
    const warm = folder.chain.walk(hashes[119]!).map((link) => link.hash);
    const cold = new SessionStore(root).session('s1').chain.walk(hashes[119]!).map((link) => link.hash);
    expect(warm).toEqual(hashes);
    expect(cold).toEqual(hashes);
    expect(folder.chain.walk(hashes[50]!).length).toBe(51);
  });

  test('the head moves only to a record that was scheduled later', () => {
    const late = folder.chain.commit(key(1), record({ value: 'late' }), 200);
    folder.chain.commit(key(2), record({ value: 'early' }), 100);
    expect(folder.chain.head()).toBe(late.hash);
  });

  test('a record that does not hold what its name says is refused', () => {
    const { hash } = folder.chain.commit(key(1), record(), 1);
    const path = join(folder.path, 'records', hash);
    writeFileSync(path, readFileSync(path, 'utf8').replace('"codeact"', '"nothing"'));
    expect(() => new SessionStore(root).session('s1').chain.walk(hash)).toThrow(/does not hold what its name says/);
  });

  test('an attempt that died counts with its reservation; a withdrawn one does not', () => {
    const { chain } = folder;
    chain.begin(key(1), null, { usd: 0.25, tokens: 1000 });
    expect(chain.lost(key(1))).toEqual({ calls: 1, reservedUsd: 0.25, reservedTokens: 1000 });
    chain.withdraw(chain.begin(key(1), null, { usd: 0.5, tokens: 1000 }));
    expect(chain.lost(key(1))).toEqual({ calls: 1, reservedUsd: 0.25, reservedTokens: 1000 });
    expect(chain.lost(key(2))).toEqual({ calls: 0, reservedUsd: 0, reservedTokens: 0 });
  });

  test('what no record accounts for: a step given up, and an attempt that lost a race', () => {
    const { chain } = folder;
    const open = chain.commit(key(0), record({ kind: 'open', args: { request: { id: 'r1' } } }), 1);
    const asked = record({ parent: open.hash, spent: { ...NOTHING_SPENT, calls: 1, lostCalls: 1 } });
    const asking = memoKey(asked as unknown as StepCall);
    for (let attempt = 0; attempt < 2; attempt += 1) chain.begin(asking, open.hash, { usd: 0.25, tokens: 1000 });
    const reply = chain.commit(asking, asked, 2);
    expect(chain.unaccounted(chain.walk(reply.hash))).toEqual({ calls: 0, reservedUsd: 0, reservedTokens: 0 });
    chain.begin(asking, open.hash, { usd: 0.25, tokens: 1000 });
    chain.begin(key(9), reply.hash, { usd: 0.5, tokens: 1000 });
    chain.begin(key(8), 'f'.repeat(64), { usd: 4, tokens: 1000 });
    expect(chain.unaccounted(chain.walk(reply.hash))).toEqual({ calls: 2, reservedUsd: 0.75, reservedTokens: 2000 });
  });

  test('a later attempt moves the head that the first did not live to move', () => {
    const { hash } = folder.chain.commit(key(1), record(), 5);
    unlinkSync(join(folder.path, 'head'));
    expect(folder.chain.recall(key(1), 6)?.hash).toBe(hash);
    expect(folder.chain.head()).toBe(hash);
  });

  test('nothing temporary is left behind', () => {
    grow(5);
    folder.blobs.put('some text');
    const left = ['', 'records', 'memo', 'blobs'].flatMap((name) => readdirSync(join(folder.path, name))).filter((name) => name.startsWith('.tmp'));
    expect(left).toEqual([]);
  });
});

describe('memo key', () => {
  const call = (over: Partial<StepCall<'execute'>>): StepCall =>
    ({ session: 's', parent: 'p', seq: 3, kind: 'execute', args: { target: 'script', call: 'c', code: { hash: 'a' } }, facts: [], ...over }) as StepCall;

  test('holds everything that decides the result and nothing else', () => {
    const base = memoKey(call({}));
    expect(memoKey(call({ seq: 9, session: 'other' }))).toBe(base);
    for (const change of [{ parent: 'q' }, { facts: [{ kind: 'no-call' as const }] }, { args: { target: 'script' as const, call: 'c', code: { text: 'b' } } }]) expect(memoKey(call(change))).not.toBe(base);
  });

  test('after a reset an edit is not answered with the approved script', () => {
    const decided = (decision: object) => memoKey(call({ facts: [{ kind: 'decision', proposal: 'p:c', actor: 'a', decision } as never] }));
    expect(decided({ kind: 'approve' })).not.toBe(decided({ kind: 'edit', code: { text: 'x' } }));
  });

  test('a request opens once, wherever the head is', () => {
    const open = (parent: string | null) => memoKey({ session: 's', parent, seq: 0, kind: 'open', args: { request: { id: 'r1' } }, facts: [] } as never);
    expect(open(null)).toBe(open('somewhere'));
  });
});

describe('blobs', () => {
  test('a blob that was changed on disk is refused', () => {
    const hash = folder.blobs.put('truth');
    writeFileSync(join(folder.path, 'blobs', hash), 'lies');
    expect(() => new SessionStore(root).session('s1').blobs.read(hash)).toThrow(/does not hold what its name says/);
  });

  test('a name from outside is never a path', () => {
    expect(() => folder.blobs.read('../head')).toThrow(/not a blob name/);
  });

  test('short text stays with its record and long text becomes a blob', () => {
    expect(folder.blobs.keep('short')).toEqual({ text: 'short' });
    const long = folder.blobs.keep('x'.repeat(5000));
    expect(long).toHaveProperty('hash');
    expect(folder.blobs.text(long)).toHaveLength(5000);
  });
});

describe('event log', () => {
  test('reading resumes at an offset and leaves a line that is still being written', () => {
    const events = folder.events({ seq: 1, attempt: 1, step: 'code' });
    events.emit('step-started');
    const first = folder.readEvents();
    expect(first.events.map((event) => event.kind)).toEqual(['step-started']);
    events.emit('step-finished', { ok: true });
    const path = join(folder.path, 'events', 'log.jsonl');
    writeFileSync(path, `${readFileSync(path, 'utf8')}{"half":`);
    const second = folder.readEvents(first.next);
    expect(second.events.map((event) => [event.kind, event.n])).toEqual([['step-finished', 1]]);
    expect(folder.readEvents(second.next).events).toEqual([]);
  });
});

test('a session id becomes one plain folder name, whatever it holds', () => {
  expect(folderName('abc-1')).toBe('abc-1');
  for (const id of ['../x', 'A b', 'x'.repeat(100), '']) expect(folderName(id)).toMatch(/^x-[0-9a-f]{32}$/);
});
