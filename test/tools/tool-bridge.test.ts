import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Nl2codeError } from '../../src/session/error-table.js';
import { SessionStore } from '../../src/store/session-store.js';
import { callSha } from '../../src/store/tool-memo.js';
import { callingRoom, leaveBegun, type CallingRoom } from './calling-room.js';

const A = { text: 'a' };
const B = { text: 'b' };
const MADE = { ok: true, value: { length: 1 } };
const failure = (type: string, message: unknown) => ({ ok: false, error: { type, message } });
const like = (pattern: RegExp): unknown => expect.stringMatching(pattern);

let room: CallingRoom;
beforeEach(() => {
  room = callingRoom();
});

describe('a call takes effect once', () => {
  it('and the same question is answered the same for ever, by any worker', async () => {
    expect(await room.ask(room.cell(), A)).toEqual(MADE);
    expect(await room.ask(room.cell(), A)).toEqual(MADE);
    const never = room.cell({ run: () => expect.unreachable() });
    expect(await room.ask(never, A)).toEqual(MADE);
    expect(room.effects()).toHaveLength(1);
  });

  it('also when the order of its arguments is another', async () => {
    const tools = [{ name: 'add', description: 'Adds.', parameters: z.object({ a: z.number(), b: z.number() }), idempotency: 'none' as const, run: () => (room.effect('add'), 1) }];
    const cell = room.cell({ tools, allowed: ['add'] });
    await room.ask(cell, { a: 1, b: 2 }, { name: 'add' });
    expect(await room.ask(cell, { b: 2, a: 1 }, { name: 'add' })).toEqual({ ok: true, value: 1 });
    expect(room.effects()).toEqual(['add']);
  });

  it('each call of each cell by itself', async () => {
    const cell = room.cell();
    for (const [k, call] of [[7, 0], [7, 1], [8, 0]] as const) await room.ask(cell, A, { k, call });
    expect(new Set(room.effects()).size).toBe(3);
  });

  it('when it is asked again while it is under way, also of another bridge of this process', async () => {
    let finish: (value: unknown) => void = () => undefined;
    const cell = room.cell({ run: () => (room.effect('once'), new Promise((resolve) => (finish = resolve))) });
    const asked = [room.ask(cell, A), room.ask(cell, A), room.ask(room.cell({ run: () => expect.unreachable() }), A)];
    await expect.poll(room.effects).toEqual(['once']);
    finish('done');
    expect(await Promise.all(asked)).toEqual(Array(3).fill({ ok: true, value: 'done' }));
    expect(room.effects()).toEqual(['once']);
  });

  it('and an error is an answer too', async () => {
    const cell = room.cell({ run: () => { room.effect('tried'); throw new Error('The list is full.\nat secret.ts'); } });
    const told = failure('ToolError', 'The tool append failed: The list is full.');
    expect(await room.ask(cell, A)).toEqual(told);
    expect(await room.ask(room.cell(), A)).toEqual(told);
    expect(room.effects()).toEqual(['tried']);
  });

  it('and an answer that is no JSON is told as an error, once', async () => {
    expect(await room.ask(room.cell({ run: () => new Date() }), A)).toEqual(failure('ToolError', "The tool append ran, but its answer can't be handed over: it holds a Date, which is no JSON."));
    expect((await room.ask(room.cell(), A)).ok).toBe(false);
    expect(room.effects()).toEqual([]);
  });
});

describe('the attempt is on disk before the effect, and the answer before it is told', () => {
  it.each(['process', 'host'] as const)('with durability %s', async (durability) => {
    room = callingRoom(durability);
    const seen: string[][] = [];
    const cell = room.cell({ run: () => void seen.push(readdirSync(join(room.folder.path, 'tools')).sort()) });
    await room.ask(cell, A);
    expect(seen).toEqual([['7.0.begun-1', 'origin']]);
    expect(readdirSync(join(room.folder.path, 'tools')).sort()).toEqual(['7.0.answered', '7.0.begun-1', 'origin']);
  });

  it('for its owner alone', async () => {
    await room.ask(room.cell(), A);
    expect(statSync(join(room.folder.path, 'tools')).mode & 0o777).toBe(0o700);
    expect(statSync(join(room.folder.path, 'tools', '7.0.answered')).mode & 0o777).toBe(0o600);
  });
});

describe('the key of a call', () => {
  const keyOf = async (of: CallingRoom, place: { k?: number; call?: number } = {}) => {
    const keys: string[] = [];
    await of.ask(of.cell({ run: (_, { key }) => void keys.push(key) }), A, place);
    return keys[0]!;
  };

  it('is plain ASCII and another for each call, cell, session and folder', async () => {
    const keys = [await keyOf(room), await keyOf(room, { call: 1 }), await keyOf(room, { k: 8 }), await keyOf(callingRoom()), room.folder.tools.key('other', { k: 7, call: 0 })];
    expect(new Set(keys).size).toBe(5);
    for (const key of keys) expect(key).toMatch(/^nl2code-[0-9a-f]{40}$/);
  });

  it('is the same for every attempt, and is the one a trace shows', async () => {
    const key = await keyOf(room);
    const other = new SessionStore(room.root).session('calls').tools;
    expect(other.key('calls', { k: 7, call: 0 })).toBe(key);
    expect(other.calls(7)[0]!.key).toBe(key);
  });
});

describe('another question in the place of one that was asked is refused and has no effect', () => {
  const CHANGED = failure('NonDeterministicReplay', like(/^Call 0 of cell 7 was append\("text":"a"\) when the cell ran before, and is append\("text":"b"\) now, so it was not made: a cell that runs again must make the same calls/));

  it('with other arguments', async () => {
    await room.ask(room.cell(), A);
    expect(await room.ask(room.cell(), B)).toEqual(CHANGED);
    expect(room.effects()).toHaveLength(1);
  });

  it('with another name', async () => {
    await room.ask(room.cell(), A);
    expect(await room.ask(room.cell(), A, { name: 'other' })).toEqual(failure('NonDeterministicReplay', like(/was append\("text":"a"\) .* and is other\("text":"a"\) now/)));
  });

  it('while the first is under way', async () => {
    const first = room.ask(room.cell({ run: () => new Promise((resolve) => setTimeout(resolve, 50, 1)) }), A);
    await expect.poll(() => readdirSync(room.folder.path)).toContain('tools');
    expect(await room.ask(room.cell(), B)).toMatchObject({ error: { type: 'NonDeterministicReplay' } });
    expect(await first).toEqual({ ok: true, value: 1 });
  });

  it('where nobody knows what came of the first', async () => {
    leaveBegun(room, A, callSha('append', A));
    expect(await room.ask(room.cell({ idempotency: 'key' }), B)).toEqual(CHANGED);
    expect(room.effects()).toEqual([]);
  });

  it('and the first is still answered', async () => {
    await room.ask(room.cell(), A);
    await room.ask(room.cell(), B);
    expect(await room.ask(room.cell(), A)).toEqual(MADE);
  });

  it('in a sentence that long arguments do not fill', async () => {
    await room.ask(room.cell(), { text: 'x'.repeat(5_000) });
    const said = await room.ask(room.cell(), { text: 'y'.repeat(5_000) });
    expect(!said.ok && said.error.message.length).toBeLessThan(700);
  });
});

describe('a call that its worker died in', () => {
  beforeEach(() => leaveBegun(room, A, callSha('append', A)));

  it('is made again with the same key where the tool takes one', async () => {
    expect(await room.ask(room.cell({ idempotency: 'key' }), A)).toEqual(MADE);
    expect(room.effects()).toEqual([`${room.folder.tools.key('calls', { k: 7, call: 0 })} a`]);
    expect(room.folder.tools.begun({ k: 7, call: 0 })?.attempt).toBe(2);
    expect(room.folder.tools.uncertain(7)).toEqual([]);
  });

  it('stays uncertain for ever where it does not, and is never made again', async () => {
    const told = failure('Uncertain', 'Whether call 0 of cell 7, append, took effect is not known: its worker ended before it was told the answer. Find out whether it did before you call it again.');
    const cell = room.cell();
    expect(await room.ask(cell, A)).toEqual(told);
    expect(await room.ask(room.cell({ idempotency: 'key' }), A)).toEqual(told);
    expect(room.effects()).toEqual([]);
    expect(room.folder.tools.uncertain(7)).toEqual([{ call: 0, name: 'append' }]);
  });

  it('is uncertain also where its tool is gone', async () => {
    expect(await room.ask(room.cell({ tools: [] }), A)).toMatchObject({ error: { type: 'Uncertain' } });
    expect(room.folder.tools.answered({ k: 7, call: 0 })?.ok).toBe(false);
  });

  it('is uncertain to a cell that never asks again', () => {
    expect(room.folder.tools.uncertain(7)).toEqual([{ call: 0, name: 'append' }]);
    expect(room.folder.tools.uncertain(8)).toEqual([]);
  });
});

describe('in a cell that is only computed again nothing happens', () => {
  const replay = { replay: true };
  it('and what was recorded is told, errors too', async () => {
    await room.ask(room.cell(), A);
    await room.ask(room.cell({ run: () => { throw new Error('no'); } }), A, { call: 1 });
    const never = room.cell({ run: () => expect.unreachable(), allowed: [] });
    expect(await room.ask(never, A, replay)).toEqual(MADE);
    expect(await room.ask(never, A, { call: 1, ...replay })).toMatchObject({ error: { type: 'ToolError' } });
  });

  it('and what was not is an error', async () => {
    expect(await room.ask(room.cell(), A, replay)).toEqual(failure('NonDeterministicReplay', 'Call 0 of cell 7, append, has no recorded answer, and nothing may happen while the cell is computed again.'));
    leaveBegun(room, A, callSha('append', A));
    expect(await room.ask(room.cell({ idempotency: 'key' }), A, replay)).toMatchObject({ error: { type: 'NonDeterministicReplay' } });
    expect(await room.ask(room.cell(), B, replay)).toMatchObject({ error: { type: 'NonDeterministicReplay' } });
    expect(room.effects()).toEqual([]);
  });
});

describe('what may not be called is refused with the reason, and the refusal stands', () => {
  it.each([
    ['a tool that the request does not allow', { allowed: [] }, 'There is no tool "append" here: this request allows none.'],
    ['a tool that the operator does not allow', { allow: ['other'] }, 'There is no tool "append" here: this request allows none.'],
    ['a tool that there is not', { allowed: ['lookup', 'append'], tools: [] }, 'There is no tool "append" here: code may call append, lookup.'],
  ])('%s', async (_law, options, says) => {
    expect(await room.ask(room.cell(options), A)).toEqual(failure('ToolError', says));
    expect(await room.ask(room.cell(), A)).toEqual(failure('ToolError', says));
    expect(room.effects()).toEqual([]);
  });

  it.each([[{ text: 3 }], [{}], [{ text: 'a', more: 1 }], [null], [[1]], ['text']])('arguments that do not fit: %j', async (args) => {
    expect(await room.ask(room.cell(), args)).toMatchObject({ error: { type: 'ToolError', message: like(/^The tool append (does not take|can't read)/) } });
    expect(room.effects()).toEqual([]);
  });

  it('more calls than one cell may make', async () => {
    expect(await room.ask(room.cell(), A, { call: 999 })).toEqual(MADE);
    expect(await room.ask(room.cell(), A, { call: 1_000 })).toEqual(failure('ToolError', like(/^One cell may call tools 1,000 times: do the rest in the next one/)));
    expect(readdirSync(join(room.folder.path, 'tools'))).not.toContain('7.1000.answered');
  });

  it('more bytes than one cell may ask for and be told, counted from disk and on', async () => {
    const large = { text: 'x'.repeat(1 << 20) };
    for (let call = 0; call < 63; call += 1) await room.ask(room.cell(), large, { call });
    const fresh = () => new SessionStore(room.root).session('calls').tools;
    const within = fresh().bytes(7);
    expect(within).toBeLessThan(64 << 20);
    expect(room.folder.tools.bytes(7)).toBe(within);
    expect(await room.ask(room.cell({ allowed: [] }), large, { call: 63 })).toMatchObject({ ok: false });
    expect(await room.ask(room.cell(), A, { call: 64 })).toEqual(failure('ToolError', like(/^What one cell asks tools and is told may have 67,108,864 bytes in all: do the rest in the next one/)));
    expect(await room.ask(room.cell(), A, { k: 8 })).toEqual(MADE);
    expect(await room.ask(room.cell(), large, { call: 3 })).toMatchObject({ ok: true });
  });

  it('and a refused call was never begun', async () => {
    await room.ask(room.cell({ allowed: [] }), A);
    expect(room.folder.tools.calls(7)).toMatchObject([{ call: 0, name: 'append', args: A, key: null, outcome: 'error' }]);
    expect(room.folder.tools.uncertain(7)).toEqual([]);
  });
});

it('code is told which tools it may call, and only those', async () => {
  const tools = ['a', 'b'].map((name) => ({ name, description: `Does ${name}.`, parameters: z.object({}), idempotency: 'key' as const, run: () => 1 }));
  const list = await room.ask(room.cell({ tools, allowed: ['b', 'missing'] }), {}, { name: 'list' });
  expect(list).toEqual({ ok: true, value: [{ name: 'b', description: 'Does b.', parameters: { type: 'object', properties: {} } }] });
});

describe('a tool that does not end', () => {
  const unknown = (why: string) => failure('Uncertain', `Whether call 0 of cell 7, append, took effect is not known: ${why}. Find out whether it did before you call it again.`);
  const untilTold: (after: (resolve: (value: unknown) => void, reject: (error: unknown) => void) => void) => (args: unknown, call: { signal: AbortSignal }) => unknown =
    (after) => (_, { signal }) => new Promise((resolve, reject) => signal.addEventListener('abort', () => after(resolve, reject)));

  it('is told to, and is uncertain, also to whoever asks again', async () => {
    const cell = room.cell({ timeoutMs: 20, run: untilTold((_, reject) => reject(new Error('aborted'))) });
    expect(await room.ask(cell, A)).toEqual(unknown('it did not answer within 0.02 s'));
    expect(await room.ask(room.cell(), A)).toEqual(unknown('it did not answer within 0.02 s'));
  });

  it('is believed where it still answers', async () => {
    expect(await room.ask(room.cell({ timeoutMs: 20, run: untilTold((resolve) => resolve('late')) }), A)).toEqual({ ok: true, value: 'late' });
  });

  it('is left alone where it does not react', async () => {
    const began = Date.now();
    expect(await room.ask(room.cell({ timeoutMs: 20, run: () => new Promise(() => {}) }), A)).toEqual(unknown('it did not answer within 0.02 s'));
    expect(Date.now() - began).toBeLessThan(4_000);
  });

  it('ends with its cell', async () => {
    const cell = room.cell({ run: untilTold((_, reject) => reject(new Error('aborted'))) });
    const asked = room.ask(cell, A);
    await expect.poll(() => room.folder.tools.uncertain(7)).toEqual([{ call: 0, name: 'append' }]);
    await cell.end();
    expect(await asked).toEqual(unknown('its cell ended before it answered'));
  });

  it('goes on when another cell ends', async () => {
    let finish: (value: unknown) => void = () => undefined;
    const asked = room.ask(room.cell({ run: () => new Promise((resolve) => (finish = resolve)) }), A);
    const other = room.cell();
    await room.ask(other, A, { k: 8 });
    await other.end();
    finish('done');
    expect(await asked).toEqual({ ok: true, value: 'done' });
  });
});

it('an attempt that can not be recorded is not made', async () => {
  const { tools } = room.folder;
  const begin = tools.begin.bind(tools);
  tools.begin = () => { throw new Nl2codeError('store-full', 'No space left.'); };
  await expect(room.ask(room.cell(), A)).rejects.toThrow(Nl2codeError);
  expect(room.effects()).toEqual([]);
  tools.begin = begin;
  expect(await room.ask(room.cell(), A)).toEqual(MADE);
});

it('what came of an effect and could not be recorded is recorded when it is asked again', async () => {
  const { tools } = room.folder;
  const answer = tools.answer.bind(tools);
  tools.answer = () => { throw new Nl2codeError('store-full', 'No space left.'); };
  await expect(room.ask(room.cell(), A)).rejects.toThrow(Nl2codeError);
  tools.answer = answer;
  expect(await room.ask(room.cell(), A)).toEqual(MADE);
  expect(room.effects()).toHaveLength(1);
});

it('a record that can not be read stops the step and guesses nothing', async () => {
  await room.ask(room.cell(), A);
  const path = join(room.folder.path, 'tools', '7.0.answered');
  const whole = readFileSync(path, 'utf8');
  expect(JSON.parse(whole)).toMatchObject({ name: 'append', ok: true });
  writeFileSync(path, whole.slice(0, 20));
  await expect(room.ask(room.cell(), A)).rejects.toThrow(/^The record tools\/7\.0\.answered of a tool's call can't be read/);
  expect(room.effects()).toHaveLength(1);
});
