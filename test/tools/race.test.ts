import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { ToolAnswer } from '../../src/kernel/tool-call.js';
import { callingRoom, type CallingRoom } from './calling-room.js';

type Caller = ChildProcessByStdio<Writable, Readable, null>;

/** A worker process that is ready to ask. */
async function caller({ root }: CallingRoom, idempotency: 'key' | 'none', calls: number, die = ''): Promise<Caller> {
  const child = spawn(process.execPath, [new URL('./caller.mjs', import.meta.url).pathname, root, idempotency, String(calls), die], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

async function told(child: Caller): Promise<ToolAnswer[]> {
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stdin.write('go\n');
  await once(child, 'close');
  return JSON.parse(Buffer.concat(chunks).toString() || '[]') as ToolAnswer[];
}

it.each(['none', 'key'] as const)('two workers that race for the same calls make each effect once and are told the same (idempotency %s)', async (idempotency) => {
  const CALLS = 25;
  const room = callingRoom();
  const callers = await Promise.all([caller(room, idempotency, CALLS), caller(room, idempotency, CALLS)]);
  const [first, second] = await Promise.all(callers.map(told));
  expect(first).toHaveLength(CALLS);
  expect(second).toEqual(first);
  expect(first!.every(({ ok }) => ok)).toBe(true);
  expect(room.effects().map((line) => line.split(' ')[1])).toEqual(Array.from({ length: CALLS }, (_, i) => String(i)));
  expect(readdirSync(join(room.folder.path, 'tools')).filter((name) => !/^7\.\d+\.(begun-1|answered)$|^origin$/.test(name))).toEqual([]);
});

describe.each(['die-before', 'die-after'] as const)('a worker that is killed in a call (%s the effect)', (die) => {
  const happened = die === 'die-after' ? 1 : 0;

  it('leaves it uncertain where the tool takes no key, and nobody makes it again', async () => {
    const room = callingRoom();
    expect(await told(await caller(room, 'none', 1, die))).toEqual([]);
    const answers = await told(await caller(room, 'none', 2));
    expect(answers).toMatchObject([{ ok: false, error: { type: 'Uncertain' } }, { ok: true }]);
    expect(room.effects().filter((line) => line.endsWith(' 0'))).toHaveLength(happened);
    expect(room.folder.tools.uncertain(7)).toEqual([{ call: 0, name: 'append' }]);
  });

  it('leaves it to the next where the tool takes one: the same key again, and one answer', async () => {
    const room = callingRoom();
    expect(await told(await caller(room, 'key', 1, die))).toEqual([]);
    const [first, second] = await Promise.all((await Promise.all([caller(room, 'key', 1), caller(room, 'key', 1)])).map(told));
    expect(first).toMatchObject([{ ok: true }]);
    expect(second).toEqual(first);
    expect(room.effects()).toHaveLength(happened + 1);
    expect(new Set(room.effects()).size).toBe(1);
  });
});
