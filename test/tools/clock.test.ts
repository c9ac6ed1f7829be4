import { rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { identityOf } from '../../src/embedded/process-identity.js';
import { callSha } from '../../src/store/tool-memo.js';
import { callingRoom, type CallingRoom } from './calling-room.js';

const HOUR_MS = 3_600_000;
const ARGS = { text: 'a' };
const PLACE = { k: 7, call: 0 };

/** An attempt of another process is under way, and the clock has been set forth or back since it began. */
describe('a clock that jumps while a call is under way makes no effect twice', () => {
  let room: CallingRoom;
  beforeEach(() => {
    room = callingRoom();
  });
  afterEach(() => rmSync(room.root, { recursive: true, force: true }));

  const begin = (at: number, owner: { pid: number; startTime: string }) =>
    room.folder.tools.begin(PLACE, { name: 'append', args: ARGS, sha: callSha('append', ARGS), key: room.folder.tools.key('calls', PLACE), attempt: 1, owner: { host: hostname(), ...owner }, at, until: at + 70_000 });
  const living = () => ({ pid: process.ppid, startTime: identityOf(process.ppid)!.startTime });
  const dead = { pid: 2 ** 22 - 1, startTime: '1' };

  it('set forth, without a key: nobody knows, for ever, also when the attempt still ends', async () => {
    begin(Date.now() - HOUR_MS, living());
    const told = await room.ask(room.cell(), ARGS);
    expect(told).toMatchObject({ ok: false, error: { type: 'Uncertain' } });
    const late = room.folder.tools.answer(PLACE, { name: 'append', sha: callSha('append', ARGS), at: 1, ms: 1, ok: true, value: 1 });
    expect(late).toMatchObject({ ok: false });
    expect(await room.ask(room.cell(), ARGS)).toEqual(told);
    expect(room.effects()).toEqual([]);
  });

  it('set forth, with a key: it is made again under the same key', async () => {
    begin(Date.now() - HOUR_MS, living());
    expect(await room.ask(room.cell({ idempotency: 'key' }), ARGS)).toEqual({ ok: true, value: { length: 1 } });
    expect(room.effects()).toEqual([`${room.folder.tools.key('calls', PLACE)} a`]);
  });

  it('set back: an attempt whose process is gone is not waited for', async () => {
    begin(Date.now() + HOUR_MS, dead);
    expect(await room.ask(room.cell({ idempotency: 'key' }), ARGS)).toEqual({ ok: true, value: { length: 1 } });
  });

  it('set back: one whose process lives is', async () => {
    begin(Date.now() + HOUR_MS, living());
    const asked = room.ask(room.cell({ idempotency: 'key' }), ARGS);
    expect(await Promise.race([asked, delay(100, 'waits')])).toBe('waits');
    room.folder.tools.answer(PLACE, { name: 'append', sha: callSha('append', ARGS), at: 1, ms: 1, ok: true, value: 'of the first' });
    expect(await asked).toEqual({ ok: true, value: 'of the first' });
    expect(room.effects()).toEqual([]);
  });
});
