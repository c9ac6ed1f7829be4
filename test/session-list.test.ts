import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listSessions, type OpenRun, type Runs, type SessionFilter } from '../src/session-list.js';
import type { StepRecord } from '../src/session/step-record.js';
import { NOTHING_SPENT } from '../src/session/usage.js';
import { SessionStore } from '../src/store/session-store.js';
import { readSummary } from '../src/store/summary.js';
import { record } from './store/record.js';

let root: string;
let store: SessionStore;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'nl2code-list-'));
  store = new SessionStore(root);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

let n = 0;
function append(session: string, ...records: Partial<StepRecord>[]): void {
  const { chain } = store.session(session);
  for (const each of records) chain.commit(String((n += 1)).padStart(64, '0'), record({ ...each, parent: chain.head(), seq: n }), n);
}
const opening = (prompt: string, over: object = {}, startedAt = n): Partial<StepRecord> => ({ kind: 'open', startedAt, args: { request: { prompt, strategy: 'codeact', labels: {}, ...over } } as never });
const step: Partial<StepRecord> = { spent: { ...NOTHING_SPENT, calls: 1, costUsd: 0.25 } };
const closing = (status: string): Partial<StepRecord> => ({ kind: 'close', args: { verdict: { status } } as never });

/** A server that knows these runs, and lists those that visibility calls open. */
function server(runs: Record<string, { open: boolean; waits?: boolean }>, listed: Record<string, string | undefined> = {}): Runs & { asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    open: async () => Object.entries(listed).map(([session, status]): OpenRun => ({ session, status, startedAt: 5, prompt: `told of ${session}` })),
    describe: async (session) => (asked.push(`describe ${session}`), { open: runs[session]?.open ?? false }),
    snapshot: async (session) => (asked.push(`snapshot ${session}`), runs[session]?.waits ? ({ proposal: {} } as never) : undefined),
  };
}
const states = async (runs: Runs | null, filter?: SessionFilter) => Object.fromEntries((await listSessions(store, runs, filter)).map(({ session, state }) => [session, state]));

describe('what is stored of a session', () => {
  test('is listed without opening its chain', async () => {
    append('one', opening('Count.', { labels: { team: 'crm' } }, 7), step, step, closing('verified'));
    readSummary(store.at('one'));
    rmSync(join(store.at('one').path, 'records'), { recursive: true });
    expect(await listSessions(store, null)).toEqual([{ session: 'one', state: 'verified', prompt: 'Count.', strategy: 'codeact', labels: { team: 'crm' }, startedAt: 7, steps: 2, spent: expect.objectContaining({ calls: 2, costUsd: 0.5 }) as object }]);
  });

  test('is brought up to date from the records that came after', () => {
    append('one', opening('Count.', {}, 7), step, closing('verified'));
    readSummary(store.at('one'));
    rmSync(join(store.at('one').path, 'records'), { recursive: true });
    store.at('one').create();
    append('one', opening('Again.', { strategy: 'react' }, 9), step);
    // As another process reads it, with nothing in memory.
    expect(readSummary(store.at('one'))).toMatchObject({ prompt: 'Again.', strategy: 'react', startedAt: 9, steps: 2, spent: { costUsd: 0.5 }, verdict: null });
  });

  test.each(['', '{', '{"v":2}', '{"v":1,"head":"not in the chain"}'])('is made anew where what was kept is %j', (kept) => {
    append('one', opening('Count.'), step, closing('stopped'));
    const made = readSummary(store.at('one'));
    expect(made).toMatchObject({ steps: 1, verdict: 'stopped' });
    writeFileSync(store.at('one').summary, kept);
    expect(readSummary(store.at('one'))).toEqual(made);
    expect(JSON.parse(readFileSync(store.at('one').summary, 'utf8'))).toEqual(made);
  });

  test('keeps the id of a run that a Schedule named', async () => {
    append('Nightly-2026-11-30T05:00:00Z', opening('Count.'), closing('verified'));
    expect(await states(null)).toEqual({ 'Nightly-2026-11-30T05:00:00Z': 'verified' });
  });
});

describe('where an open session stands', () => {
  beforeEach(() => append('a', opening('Count.'), step));

  test('is not known without a server', async () => expect(await states(null)).toEqual({ a: 'open' }));
  test('is not known when visibility does not answer', async () => expect(await states({ ...server({ a: { open: true } }), open: async () => undefined })).toEqual({ a: 'open' }));
  test('is what its search attribute says, and nobody else is asked', async () => {
    const runs = server({}, { a: 'waiting' });
    expect(await states(runs)).toEqual({ a: 'waiting' });
    expect(await states(server({}, { a: 'running' }))).toEqual({ a: 'running' });
    expect(runs.asked).toEqual([]);
  });
  test('is asked of its run where there is no search attribute', async () => {
    expect(await states(server({ a: { open: true, waits: true } }, { a: undefined }))).toEqual({ a: 'waiting' });
    expect(await states(server({ a: { open: true } }, { a: undefined }))).toEqual({ a: 'running' });
  });
  test('is asked of its run where visibility does not list it yet', async () => expect(await states(server({ a: { open: true } }))).toEqual({ a: 'running' }));
  test('is lost when the server knows no open run', async () => expect(await states(server({}))).toEqual({ a: 'lost' }));
  test('is its verdict when it ended while it was asked about', async () => {
    const runs = server({});
    expect(await states({ ...runs, describe: async () => (append('a', closing('verified')), { open: false }) })).toEqual({ a: 'verified' });
  });
});

test('a verdict stands when visibility is late, and gives way to a follow-up that has begun', async () => {
  append('a', opening('Count.'), closing('verified'));
  append('b', opening('Count.'), closing('verified'));
  expect(await states(server({ b: { open: true } }, { a: 'running', b: 'running' }))).toEqual({ a: 'verified', b: 'running' });
});

test('a session that no worker has taken up is listed as its start told; a run of another store is not', async () => {
  store.session('new');
  expect(await listSessions(store, server({}, { new: 'running', foreign: 'running' }))).toEqual([{ session: 'new', state: 'running', prompt: 'told of new', strategy: null, labels: {}, startedAt: 5, steps: 0, spent: NOTHING_SPENT }]);
});

test('filters narrow, the newest comes first, and only what is shown is asked about', async () => {
  append('a', opening('1', { labels: { team: 'crm', urgent: '' } }, 10), closing('verified'));
  append('b', opening('2', { labels: { team: 'web' }, strategy: 'react' }, 30));
  append('c', opening('3', { labels: { team: 'crm' } }, 20));
  const runs = server({ b: { open: true }, c: { open: true } });
  const listed = async (filter: SessionFilter) => (await listSessions(store, runs, filter)).map(({ session }) => session);
  expect(await listed({})).toEqual(['b', 'c', 'a']);
  expect(await listed({ labels: { team: 'crm' } })).toEqual(['c', 'a']);
  expect(await listed({ labels: { urgent: null } })).toEqual(['a']);
  expect(await listed({ strategy: 'react' })).toEqual(['b']);
  expect(await listed({ since: 20 })).toEqual(['b', 'c']);
  runs.asked.length = 0;
  expect(await listed({ limit: 1 })).toEqual(['b']);
  expect(runs.asked).toEqual(['describe b', 'snapshot b']);
  expect(await listed({ status: 'running', limit: 1 })).toEqual(['b']);
  expect(await listed({ status: 'verified' })).toEqual(['a']);
});
