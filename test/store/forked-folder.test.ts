import { mkdirSync, mkdtempSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { forkSession } from '../../src/fork-session.js';
import type { Hash, Json } from '../../src/session/json.js';
import type { StepRecord } from '../../src/session/step-record.js';
import { makeForkedFolder } from '../../src/store/forked-folder.js';
import { memoKey } from '../../src/store/memo-key.js';
import { readSummary } from '../../src/store/summary.js';
import { SessionStore, type SessionFolder } from '../../src/store/session-store.js';
import { callSha, type BegunCall } from '../../src/store/tool-memo.js';
import { ToolBridge } from '../../src/tools/tool-bridge.js';
import { request } from '../strategies/scripted-ports.js';
import { record } from './record.js';

let store: SessionStore;
let parent: SessionFolder;
let heads: Hash[];

function add(over: Partial<StepRecord>): void {
  const made = record({ ...over, parent: heads.at(-1) ?? null, seq: heads.length });
  heads.push(parent.chain.commit(memoKey(made as never), made, 1000 + heads.length).hash);
}

const input = (name: string) => ({ name, sha256: 'a'.repeat(64), bytes: 3 });
const cell = (text: string) => add({ kind: 'execute', args: { target: 'cell', call: text, code: { hash: parent.blobs.put(`code ${text}`) } }, refs: { observation: { hash: parent.blobs.put(JSON.stringify({ image: parent.blobs.put(`image ${text}`) })) } } });
const begun = (text: string, key: string): BegunCall => ({ name: 'append', args: { text }, sha: callSha('append', { text }), key, attempt: 1, owner: { host: 'gone', pid: 1, startTime: '' }, at: 5, until: 6 });
const texts = ({ path }: SessionFolder) => readdirSync(join(path, 'blobs')).map((name) => readFileSync(join(path, 'blobs', name), 'utf8')).filter((text) => !text.startsWith('{')).sort();
const tools = ({ path }: SessionFolder) => readdirSync(join(path, 'tools')).sort();

beforeEach(() => {
  store = new SessionStore(mkdtempSync(join(tmpdir(), 'nl2code-forked-')));
  parent = store.session('parent');
  heads = [];
  for (const name of ['sales.csv', 'later.csv']) writeFileSync(join(parent.inputs, name), 'abc');
  writeFileSync(join(parent.truth, 'truth.csv'), 'abc');
  add({ kind: 'open', args: { request: request({ prompt: 'count', inputs: [input('sales.csv')], truth: [input('truth.csv')] }) } as unknown as Json });
  for (const text of ['zero', 'one', 'two']) cell(text);
  add({ kind: 'open', args: { request: request({ id: 'r2', inputs: [input('sales.csv'), input('later.csv')] }) } as unknown as Json });
  for (const k of [0, 1, 2]) {
    parent.tools.begin({ k, call: 0 }, begun(`${k}`, parent.tools.key('parent', { k, call: 0 })));
    parent.tools.answer({ k, call: 0 }, { name: 'append', sha: callSha('append', { text: `${k}` }), at: 5, ms: 1, ok: true, value: `told ${k}` });
  }
});

const fork = (over: Partial<Parameters<typeof forkSession>[1]> = {}) => forkSession(store, { from: 'parent', at: { cell: 1 }, to: 'fork', ...over });

describe('a fork of a session', () => {
  test('has the records up to there, their blobs, their inputs and what their calls were told, and nothing of what came after', async () => {
    expect(await fork()).toEqual({ session: 'fork', head: heads[2], cell: 1, kept: -1 });
    const made = store.at('fork');
    expect(made.chain.head()).toBe(heads[2]);
    expect(made.chain.walk(heads[2]!).map(({ hash }) => hash)).toEqual(heads.slice(0, 3));
    expect(readdirSync(join(made.path, 'records')).sort()).toEqual(heads.slice(0, 3).sort());
    expect(texts(made)).toEqual(['code one', 'code zero', 'image one', 'image zero']);
    expect(readdirSync(made.inputs)).toEqual(['sales.csv']);
    expect(readdirSync(made.truth)).toEqual(['truth.csv']);
    expect(tools(made)).toEqual(['0.0.answered', '0.0.begun-1', '1.0.answered', '1.0.begun-1']);
    expect(made.tools.answered({ k: 1, call: 0 })).toEqual(parent.tools.answered({ k: 1, call: 0 }));
    expect(made.forked).toEqual({ session: 'parent', record: heads[2], cell: 1, first: 'parent' });
    expect(readSummary(made)).toMatchObject({ prompt: 'count', steps: 2, verdict: null });
    expect(statSync(join(made.path, 'records', heads[0]!)).ino).toBe(statSync(join(parent.path, 'records', heads[0]!)).ino);
  });

  test('is made alike where a power cut must not undo it', async () => {
    store = new SessionStore(store.root, 'host');
    expect(await fork()).toMatchObject({ cell: 1 });
    expect(store.at('fork').chain.walk(heads[2]!)).toHaveLength(3);
  });

  test('is answered from its memo for every step that both have, and for no later one', async () => {
    await fork();
    const at = (n: number) => memoKey(parent.chain.record(heads[n]!) as never);
    expect([0, 1, 2].map((n) => store.at('fork').chain.memo(at(n))?.hash)).toEqual(heads.slice(0, 3));
    expect(store.at('fork').chain.memo(at(3))).toBeUndefined();
    const { chain } = store.at('fork');
    expect(chain.commit('k'.repeat(64), record({ parent: heads[2] }), 1).hash).toBe(chain.head());
  });

  test('makes keys of its own for its calls, and knows none of what makes its parent\'s', async () => {
    await fork();
    expect(tools(parent)).toContain('origin');
    expect(store.at('fork').tools.key('parent', { k: 2, call: 0 })).not.toBe(parent.tools.key('parent', { k: 2, call: 0 }));
  });

  test('does not make a call of the past again that has no answer: nobody knows of it, for ever', async () => {
    parent.tools.begin({ k: 1, call: 1 }, begun('open', 'key'));
    await fork();
    const made = store.at('fork');
    const bridge = new ToolBridge([{ name: 'append', description: 'Appends.', parameters: { type: 'object', properties: { text: { type: 'string' } } }, idempotency: 'key', run: () => expect.unreachable() }]);
    const answer = await bridge.cell({ folder: made, session: 'fork', allowed: ['append'] }).answer({ k: 1, call: 1, name: 'append', args: { text: 'open' }, replay: false });
    expect(answer).toMatchObject({ ok: false, error: { type: 'Uncertain', message: 'Whether call 1 of cell 1, append, took effect is not known: it had no answer when the session was forked. Find out whether it did before you call it again.' } });
    expect(parent.tools.answered({ k: 1, call: 1 })).toBeUndefined();
  });

  test('can be made at any record, also before any cell, of a fork, and under any id', async () => {
    expect(await fork({ at: { record: heads[4]! }, to: 'Of a Schedule' })).toMatchObject({ head: heads[4], cell: 2 });
    expect(store.list()).toContain('Of a Schedule');
    expect(readdirSync(store.at('Of a Schedule').inputs).sort()).toEqual(['later.csv', 'sales.csv']);
    expect(await forkSession(store, { from: 'Of a Schedule', at: { record: heads[0]! }, to: 'third' })).toMatchObject({ cell: -1 });
    expect(store.at('third').forked).toMatchObject({ session: 'Of a Schedule', first: 'parent' });
    expect(readdirSync(store.at('third').path)).not.toContain('tools');
  });

  test.each([
    ['of a session that is not there', { from: 'nobody' }, 'not-found', 'There is no session "nobody". List the sessions with nl2code list.'],
    ['at a cell that was never committed', { at: { cell: 3 } }, 'bad-request', 'Session parent has no cell 3 to fork at: it has run cells 0 to 2.'],
    ['at a record that is none of its chain', { at: { record: 'f'.repeat(64) } }, 'bad-request', `"${'f'.repeat(64)}" is no record of session parent: nl2code show --trace prints those it has.`],
    ['under the id of a session that is there', { to: 'parent' }, 'bad-request', 'There is a session "parent" already: give the fork another id.'],
    ['without an id', { to: '' }, 'bad-request', 'A fork needs an id of its own.'],
  ])('%s is refused with what to do, and leaves nothing', async (_, over, code, message) => {
    await expect(fork(over as never)).rejects.toMatchObject({ code, message });
    expect(readdirSync(join(store.root, 'sessions'))).toEqual(['parent']);
  });

  test('of a session that has run no cell is refused with what to do', async () => {
    store.session('empty');
    await expect(fork({ from: 'empty' })).rejects.toThrow('Session empty has no cell 1 to fork at: it has run no cell yet.');
  });

  test('has no name before it is whole', async () => {
    const past = { session: 'fork', from: { session: 'parent', record: heads[0]!, cell: -1, first: 'parent' }, links: parent.chain.walk(heads[0]!), unanswered: () => expect.unreachable() };
    const seen = await makeForkedFolder(store, past, async () => readdirSync(join(store.root, 'sessions')));
    expect(seen).toEqual(['parent']);
    await expect(makeForkedFolder(store, { ...past, session: 'second' }, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(readdirSync(join(store.root, 'sessions')).sort()).toEqual(['fork', 'parent']);
    expect(readdirSync(join(store.root, 'forks'))).toEqual([]);
  });

  test('is there whole or not at all: what breaks half-way leaves nothing, and of two that are made at once one is', async () => {
    const lost = parent.blobs.put('x'.repeat(9));
    add({ kind: 'code', refs: { reply: { hash: lost } } });
    writeFileSync(parent.blobs.path(lost), 'damaged');
    await expect(fork({ at: { record: heads.at(-1)! } })).rejects.toMatchObject({ code: 'store-corrupt' });
    writeFileSync(join(parent.path, 'sandbox'), 'no folder');
    mkdirSync(join(store.root, 'forks', '1.00.dead'), { recursive: true });
    const made = await Promise.allSettled([fork(), fork()]);
    expect(made.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(made.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'bad-request', message: 'There is a session "fork" already: give the fork another id.' } });
    expect(readdirSync(join(store.root, 'forks'))).toEqual([]);
    expect(readdirSync(join(store.root, 'sessions')).sort()).toEqual(['fork', 'parent']);
  });
});
