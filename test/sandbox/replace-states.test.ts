import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import type { Epoch } from '../../src/kernel/protocol.js';
import { Checkpoints } from '../../src/sandbox/checkpoints.js';
import { keepEpoch, keptEpoch } from '../../src/sandbox/journal-epoch.js';
import { manifestName } from '../../src/sandbox/manifests.js';
import { bootId, processStartTime } from '../../src/sandbox/process/run-state.js';
import { shipCheckpoint } from '../../src/sandbox/ship-checkpoint.js';
import type { CheckpointStore } from '../../src/store/checkpoint-store.js';
import { PLACES } from './rig.js';
import { segment, ShippedRoom } from './shipped-room.js';

let room: ShippedRoom;
let said: string[];
let ended: number;
beforeEach(async () => {
  [room, said, ended] = [new ShippedRoom(), [], 0];
  for (const k of [0, 1, 2]) room.commit(k);
  await shipCheckpoint(room.store, room.shipment(3));
});
afterEach(() => room.close());

const sandbox = (pid: number, over = {}) => writeFileSync(join(room.folder, 'run', 'state.json'), JSON.stringify({ pid, startTime: processStartTime(pid), childPid: null, childStartTime: null, bootId: bootId(), isolation: 'none', uid: 0, hashSeed: 42, cgroups: [], endedBecause: null, ...over }));
const epoch = (...of: Epoch) => {
  if (!keptEpoch(room.folder)) return keepEpoch(room.folder, 'slot-1', of);
  const aside = new ShippedRoom();
  keepEpoch(aside.folder, 'slot-1', of);
  writeFileSync(room.checkpoint('ledger', 'journal'), Buffer.concat([readFileSync(room.checkpoint('ledger', 'journal')), readFileSync(aside.checkpoint('ledger', 'journal'))]));
  aside.close();
};
const onFailed = (sentence: string) => void said.push(sentence);

/** The room's store, which does something before it gives an object, or hands out no chunk of it. */
function slow(meanwhile: (key: string) => unknown, chunk: (next: Promise<IteratorResult<Uint8Array>>) => Promise<IteratorResult<Uint8Array>> = (next) => next): CheckpointStore {
  const { store } = room;
  return {
    place: 'slow', put: (key, object) => store.put(key, object), list: (prefix) => store.list(prefix), remove: (key) => store.remove(key), tidy: (prefix) => store.tidy(prefix),
    get: async (key) => {
      await meanwhile(key);
      const found = await store.get(key);
      const chunks = found?.chunks[Symbol.asyncIterator]();
      return found && { bytes: found.bytes, chunks: { [Symbol.asyncIterator]: () => ({ next: () => chunk(chunks!.next()), return: () => chunks!.return!() }) } };
    },
  };
}

describe('a fetch', () => {
  const never = () => new Promise<never>(() => undefined);

  it.each([
    ['hangs', (free: Promise<unknown>) => slow(() => free)],
    ['hangs in the middle of an object', (free: Promise<unknown>) => slow(() => undefined, (next) => free.then(() => next))],
    ['hangs when it is listed', (free: Promise<unknown>) => ({ ...slow(() => undefined), list: async (prefix: string) => (await free, room.store.list(prefix)) })],
  ])('from a store that %s ends in a sentence after a while, and what comes later changes nothing', async (_what, hanging) => {
    room.lose();
    let free!: (value: undefined) => void;
    const checkpoints = new Checkpoints({ store: hanging(new Promise((resolve) => (free = resolve))), stillMs: 20 });
    expect(await checkpoints.refill(room.shipment(3), { onFailed })).toBeUndefined();
    const left = [...readdirSync(room.root)];
    free(undefined);
    for (let n = 0; n < 20; n += 1) await new Promise(setImmediate);
    expect(left).toEqual(['elsewhere']);
    expect(readdirSync(room.root)).toEqual(['elsewhere']);
    // An identity that can't be read is passed over, as any that is damaged.
    for (const sentence of said) expect(sentence).toBe('The saved states of session s could not be fetched from slow, so its cells run again: slow does not answer: nothing came from it for 0.02 s.');
  });

  it('ends with its step at once, in a sentence, and no sandbox is ended for it', async () => {
    const step = new AbortController();
    const store = slow((key) => (key.includes(segment(2)) ? (step.abort(), never()) : undefined));
    sandbox(process.pid);
    expect(await new Checkpoints({ store }).renew(room.shipment(3), 1, async () => void (ended += 1), { signal: step.signal, onFailed })).toBeUndefined();
    expect([ended, said]).toEqual([0, ['The saved states of session s were not fetched from slow: its step was ended before that.']]);
    expect(room.manifests()).toEqual([0, 1, 2].map(manifestName));
    expect(readdirSync(room.root).sort()).toEqual(['elsewhere', 'sandbox']);
  });

  it('that its step ended while the sandbox ended installs nothing', async () => {
    const step = new AbortController();
    writeFileSync(room.checkpoint('manifests', manifestName(2)), 'damaged');
    await new Checkpoints({ store: room.store }).renew(room.shipment(3), 1, async () => step.abort(), { signal: step.signal });
    expect(room.read('manifests', manifestName(2))).toBe('damaged');
  });
});

describe('states that a guest has given up are replaced', () => {
  const renew = (store: CheckpointStore, end = () => undefined as unknown) =>
    new Checkpoints({ store }).renew(room.shipment(3), 1, async () => {
      ended += 1;
      await end();
    }, { onFailed });
  beforeEach(() => {
    writeFileSync(room.checkpoint('manifests', manifestName(2)), 'damaged');
    sandbox(process.pid);
    epoch(7, 2);
  });
  const untouched = () => {
    expect(readdirSync(room.root).sort()).toEqual(['elsewhere', 'sandbox']);
    expect(room.read('manifests', manifestName(2))).toBe('damaged');
    expect(said).toEqual([]);
  };

  it('once all that comes is on this disk, and the highest epoch stays', async () => {
    const order: string[] = [];
    const store = slow((key) => order.push(key.split('/').at(-1)!.slice(0, 8)));
    expect(await renew(store, () => (order.push('end'), sandbox(process.pid, { endedBecause: 'it was told to' })))).toBe(2);
    expect(order.indexOf('end')).toBe(order.length - 1);
    expect(order.length).toBeGreaterThan(5);
    expect(room.read('manifests', manifestName(2))).toContain('"k":2,"sha"');
    expect(keptEpoch(room.folder)).toEqual([7, 2]);
  });

  it.each<[string, () => unknown]>([
    ['committed a cell', () => room.commit(3)],
    ['committed many', () => [3, 4, 5].forEach((k) => room.commit(k))],
    ['started another sandbox', () => sandbox(process.ppid)],
    ['spoken to the same sandbox', () => epoch(7, 3)],
  ])('not when a newer attempt has %s meanwhile: it keeps all it has', async (_what, meanwhile) => {
    let done = false;
    const store = slow(() => {
      if (!done) meanwhile();
      done = true;
    });
    expect(await renew(store)).toBe('moved');
    expect(ended).toBe(0);
    untouched();
  });

  it.each<[string, () => unknown]>([
    ['started another sandbox', () => sandbox(process.ppid)],
    ['committed a cell', () => (sandbox(process.pid, { endedBecause: 'it was told to' }), room.commit(3))],
  ])('not when a newer attempt has %s while the old one was ended', async (_what, meanwhile) => {
    expect(await renew(room.store, meanwhile)).toBe('moved');
    expect(ended).toBe(1);
    untouched();
  });

  it('not while their sandbox lives on', async () => {
    await renew(room.store);
    untouched();
  });

  it('not by older ones, and a store that has no later one ends no sandbox', async () => {
    expect(await new Checkpoints({ store: room.store }).renew(room.shipment(3), 2, async () => void (ended += 1))).toBeUndefined();
    expect(ended).toBe(0);
    untouched();
  });
});

describe('the epoch of a journal', () => {
  const python = (code: string) => {
    const { status, stdout, stderr } = spawnSync(join(PLACES.runtimeDir, 'python/bin/python3'), ['-c', `import sys\nfrom nl2code_guest.journal import Journal\njournal = Journal(sys.argv[1], 'slot-1', False)\n${code}`, room.checkpoint('ledger')], { encoding: 'utf8', cwd: PLACES.guestDir });
    expect(status, stderr).toBe(0);
    return stdout.trim();
  };

  it('that the host has begun is what the guest goes on from', () => {
    keepEpoch(room.folder, 'slot-1', [5, 3]);
    expect(python('print(journal.epoch, journal.start(0, "x", (5, 3)))')).toBe('(5, 3) 1');
    expect(keptEpoch(room.folder)).toEqual([5, 3]);
  });

  it('that a guest wrote is the highest of all its records', () => {
    python('journal.raise_epoch((1, 9))\njournal.note_at_start(0, b"body" * 1000)\njournal.raise_epoch((10, 1))\njournal.start(0, "x", (10, 1))');
    expect(keptEpoch(room.folder)).toEqual([10, 1]);
  });

  test.each([['nothing', ''], ['one byte', 'x'], ['zeros', '\0'.repeat(5000)], ['no records', '\xff'.repeat(5000)]])('is none where there is %s to read', (_what, text) => {
    mkdirSync(room.checkpoint('ledger'));
    expect(keptEpoch(room.folder)).toBeUndefined();
    writeFileSync(room.checkpoint('ledger', 'journal'), text, 'latin1');
    expect(keptEpoch(room.folder)).toBeUndefined();
  });
});
