import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { forkSession } from '../../src/fork-session.js';
import { manifestName } from '../../src/sandbox/manifests.js';
import { traceLines } from '../../src/store/trace.js';
import { ForkedRoom } from './forked-room.js';

const call = (text: string) => `rows.append(nl2code.tools.append(text=${JSON.stringify(text)}))`;
const BEGIN = 'import nl2code, random\nrows, drawn = [], []';
const DRAW = 'drawn.append(random.random())';
const ONE = `${call('one')}\n${DRAW}\nopen("kept.txt", "w").write("one")`;

describe.each(['bubblewrap', 'none'] as const)('a session with calls of tools, under %s,', (isolation) => {
  let room: ForkedRoom;
  beforeEach(async () => {
    room = new ForkedRoom(isolation);
    room.open('parent');
    await room.cell('parent', BEGIN);
    await room.cell('parent', ONE);
    await room.cell('parent', `${call('two')}\n${DRAW}\nopen("kept.txt", "a").write(", two")`);
  });
  afterEach(() => room.close());

  it('can be forked at a cell: the same past, and each goes on by itself, with effects and keys of its own', async () => {
    expect(await forkSession(room.store, { from: 'parent', at: { cell: 1 }, to: 'fork' })).toMatchObject({ session: 'fork', cell: 1, kept: 1 });
    const shared = room.store.at('parent').chain.walk(room.store.at('parent').chain.head()).slice(0, 3);
    expect(room.store.at('fork').chain.walk(room.store.at('fork').chain.head())).toEqual(shared);
    expect(traceLines(room.store.at('fork'))).toEqual(traceLines(room.store.at('parent')).slice(0, 3));

    const next = `${call('three')}\n${DRAW}\nprint(rows, open("kept.txt").read(), drawn[:1], drawn[-1])`;
    const of = (printed: string) => /^(\[.*?\] [\w, ]+) (\[[\d.]+\]) ([\d.]+)$/.exec(printed)!.slice(1);
    const [fork, parent] = [of(await room.printed('fork', next)), of(await room.printed('parent', next))];
    expect(fork[0]).toBe('[1, 3] one');
    expect(parent[0]).toBe('[1, 2, 4] one, two');
    expect(fork[1]).toBe(parent[1]);
    expect(fork[2]).not.toBe(parent[2]);
    expect(room.texts).toEqual(['one', 'two', 'three', 'three']);
    expect(new Set(room.effects.map(({ key }) => key)).size).toBe(4);
    expect(await room.printed('fork', 'print(rows, open("kept.txt").read())')).toBe('[1, 3] one');
  });

  it('goes on in a fork from its records alone: no effect of the past is made again, and none of its own', async () => {
    await forkSession(room.store, { from: 'parent', at: { cell: 1 }, to: 'fork' });
    const { sandbox } = room.store.at('fork');
    rmSync(sandbox, { recursive: true });
    const seed = await room.printed('parent', 'print(hash("a"))');
    const first = await room.cell('fork', `${call('three')}\nprint(rows, open("kept.txt").read(), hash("a"))`);
    expect(first.stdout.text).toBe(`[1, 3] one ${seed}\n`);
    expect(first.caughtUp).toEqual([{ k: 0, same: true }, { k: 1, same: true }]);
    await room.end('fork');
    rmSync(join(sandbox, 'checkpoint'), { recursive: true });
    const second = await room.cell('fork', 'print(rows)');
    expect(second.stdout.text).toBe('[1, 3]\n');
    expect(second.caughtUp).toHaveLength(3);
    expect(room.texts).toEqual(['one', 'two', 'three']);
  });

  it('is caught up on in a fork where its state was not on disk yet: with the numbers that it drew, and then with the fork\'s own', async () => {
    const drawn = await room.printed('parent', 'print(rows, drawn)');
    await room.end('parent');
    for (const k of [2, 3]) rmSync(join(room.store.at('parent').sandbox, 'checkpoint', 'manifests', manifestName(k)));
    expect(await forkSession(room.store, { from: 'parent', at: { cell: 2 }, to: 'fork' })).toMatchObject({ cell: 2, kept: 1 });
    const first = await room.cell('fork', 'print(rows, drawn)\nown = random.random()');
    expect(first.stdout.text.trimEnd()).toBe(drawn);
    expect(first.caughtUp).toEqual([{ k: 2, same: true }]);
    expect(await room.printed('fork', 'print(own)')).not.toBe(await room.printed('parent', 'print(random.random())'));
    expect(room.texts).toEqual(['one', 'two']);
  });

  it('answers a fork that asks for a step of the past again from its records, and runs what is asked otherwise', async () => {
    await forkSession(room.store, { from: 'parent', at: { cell: 1 }, to: 'fork' });
    const head = room.store.at('fork').chain.head();
    room.goOnAfter('fork', 0);
    await room.cell('fork', ONE);
    expect(room.store.at('fork').chain.head()).toBe(head);
    expect(existsSync(join(room.store.at('fork').sandbox, 'run', 'state.json'))).toBe(false);
    room.goOnAfter('fork', 0);
    expect(await room.printed('fork', `${call('one')}\n${call('another')}\nprint(rows)`)).toBe('[1, 3]');
    expect(room.texts).toEqual(['one', 'two', 'another']);
  });

  it('can be restored to any committed cell: by a fork at each, and by rolling its sandbox back to each', async () => {
    const kept = ['[] -', '[1] one', '[1, 2] one, two'];
    const look = 'import os\nprint(rows, open("kept.txt").read() if os.path.exists("kept.txt") else "-")';
    for (const [cell, seen] of kept.entries()) {
      expect(await forkSession(room.store, { from: 'parent', at: { cell }, to: `at-${cell}` })).toMatchObject({ cell, kept: cell });
      expect(await room.printed(`at-${cell}`, look)).toBe(seen);
      await room.end(`at-${cell}`);
    }
    for (const [cell, seen] of [...kept.entries()].reverse()) {
      await room.rollBack('parent', cell);
      expect(await room.printed('parent', look)).toBe(seen);
    }
    expect(room.texts).toEqual(['one', 'two']);
  });

  it('can be forked while it runs cells, as often as one likes: each fork has what was committed where it was made', async () => {
    let [over, n] = [false, 3];
    const forks: { session: string; cell: number }[] = [];
    const places = () => new Set(forks.map(({ cell }) => cell)).size;
    const running = (async () => {
      // However slow forks are beside cells, some are made between them.
      for (; n < 15 || (places() <= 3 && n < 100); n += 1) {
        await room.cell('parent', `${call(`cell ${n}`)}\nopen("kept.txt", "a").write(", ${n}")`);
        if (n >= 15) await new Promise((resolve) => setTimeout(resolve, 100));
      }
      over = true;
    })();
    while (!over) {
      const { chain } = room.store.at('parent');
      forks.push(await forkSession(room.store, { from: 'parent', at: { record: chain.head()! }, to: `fork-${forks.length}` }));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await running;
    expect(places()).toBeGreaterThan(3);
    const effects = room.texts;
    const some = [forks[0]!, forks[Math.floor(forks.length / 2)]!, forks.at(-1)!];
    for (const { session, cell } of some) {
      const files = ['one', 'two', ...Array.from({ length: cell - 2 }, (_, n) => String(n + 3))];
      expect(await room.printed(session, 'print(len(rows), open("kept.txt").read())')).toBe(`${cell} ${files.join(', ')}`);
      await room.end(session);
    }
    expect(room.texts).toEqual(effects);
    expect(effects).toHaveLength(n - 1);
  });
});
