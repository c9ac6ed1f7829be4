import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Checkpoints } from '../../src/sandbox/checkpoints.js';
import { MAX_MANIFEST_BYTES, manifestName } from '../../src/sandbox/manifests.js';
import { keptIdentity } from '../../src/sandbox/process/sandbox-folder.js';
import { refillCheckpoint, remoteHead } from '../../src/sandbox/refill-checkpoint.js';
import { shipCheckpoint } from '../../src/sandbox/ship-checkpoint.js';
import type { CheckpointStore } from '../../src/store/checkpoint-store.js';
import { makeDeep } from '../store/deep-tree.js';
import { eventually } from './rig.js';
import { segment, segmentBytes, sha, ShippedRoom, tooManyNames } from './shipped-room.js';

let room: ShippedRoom;
beforeEach(() => {
  room = new ShippedRoom();
});
afterEach(() => room.close());

const ship = (cells: number, over = {}) => shipCheckpoint(room.store, room.shipment(cells, over));
const refill = (cells: number, over = {}) => refillCheckpoint(room.store, room.shipment(cells, over));
const head = (cells: number) => remoteHead(room.store, room.shipment(cells));

/** A store that notes what is put, and fails or does something else where it is told to. */
function watched(put: (key: string, next: () => Promise<void>) => Promise<void>): CheckpointStore & { order: string[] } {
  const order: string[] = [];
  const { store } = room;
  return { place: 'watched', order, get: (key) => store.get(key), list: (prefix) => store.list(prefix), remove: (key) => store.remove(key), tidy: (prefix) => store.tidy(prefix), put: (key, object) => put(key, async () => (order.push(key.split('/').at(-1)!), store.put(key, object))) };
}

describe('states are shipped', () => {
  it('whole: every manifest after the segments it names and the manifest before it', async () => {
    for (const k of [0, 1, 2]) room.commit(k);
    const store = watched((_key, next) => next());
    expect(await shipCheckpoint(store, room.shipment(3))).toBe(2);
    expect(store.order.map((name) => name.replace(/^(\d{8})-.*$/, 'manifest $1').replace('.segment', ''))).toEqual(['identity.json', segment(0), 'manifest 00000000', segment(1), 'manifest 00000001', segment(2), 'manifest 00000002']);
  });

  it('once: only what the store lacks is put, and nothing when it lacks nothing', async () => {
    room.commit(0);
    expect(await ship(1)).toBe(0);
    room.commit(1);
    const store = watched((_key, next) => next());
    expect(await shipCheckpoint(store, room.shipment(2))).toBe(1);
    expect(store.order).toHaveLength(2);
    expect(await shipCheckpoint(store, room.shipment(2))).toBe(1);
    expect(store.order).toHaveLength(2);
  });

  it('of cells that the chain has, and of no other', async () => {
    for (const k of [0, 1, 2]) room.commit(k);
    expect(await ship(2)).toBe(1);
    expect(await room.stored()).toEqual([`${segment(0)}.segment`, `${segment(1)}.segment`, '00000000.manifest', '00000001.manifest', 'identity.json'].sort());
  });

  it('not while the newest one is of other code than the chain says: it is of a run that the chain does not have', async () => {
    room.commit(0);
    room.commit(1, { code: 'of another run' });
    expect(await ship(2)).toBe(-1);
    expect(await room.stored()).toEqual([]);
  });

  it('of a folder in which no sandbox was started, or that is not there: none', async () => {
    room.lose();
    expect(await ship(2)).toBe(-1);
    mkdirSync(room.checkpoint('manifests'), { recursive: true });
    writeFileSync(room.checkpoint('manifests', manifestName(0)), `"sha":"${sha('code 0')}"`);
    expect(await ship(1)).toBe(-1);
  });

  it('again where they were taken back: old ones stay, and what counts is told by what each followed', async () => {
    for (const k of [0, 1, 2]) room.commit(k);
    await ship(3);
    for (const k of [1, 2]) room.commit(k, { bytes: `others of ${k}`, code: `code ${k} ` });
    const codeShaOf = (k: number) => sha(`code ${k} `);
    expect(await ship(3, { codeShaOf })).toBe(2);
    expect((await room.stored()).filter((name) => name === '00000002.manifest')).toHaveLength(2);
    const manifest = room.read('manifests', manifestName(2));
    room.lose();
    // Both are of cell 2 of the chain; the later one is taken, with its own past.
    expect(await refill(4)).toBe(2);
    expect(room.read('manifests', manifestName(2))).toBe(manifest);
    expect(room.read('manifests', manifestName(1))).toContain(sha('code 1 '));
  });

  it('by two workers at once, twenty times: nothing is lost or mixed', async () => {
    for (let n = 0; n < 20; n += 1) {
      for (const k of [0, 1, 2, 3]) room.commit(k, { bytes: Buffer.alloc(50_000, n) });
      expect(await Promise.all([ship(4), ship(4)])).toEqual([3, 3]);
      const before = readdirSync(room.checkpoint('segments')).map((name) => readFileSync(room.checkpoint('segments', name)));
      room.lose();
      expect(await Promise.all([refill(5), refill(5)])).toContain(3);
      expect(readdirSync(room.checkpoint('segments')).map((name) => readFileSync(room.checkpoint('segments', name)).equals(before.shift()!))).toEqual([true, true, true, true]);
      expect(readdirSync(room.root).sort()).toEqual(['elsewhere', 'sandbox']);
      rmSync(join(room.place, 's'), { recursive: true });
      room.lose();
      room.begin();
    }
  });
});

describe('of a folder that a cell has filled', () => {
  const secret = () => join(room.root, 'secret');
  beforeEach(() => {
    for (const k of [0, 1]) room.commit(k);
    writeFileSync(secret(), segmentBytes('secret'));
  });
  const inStore = async () => (await Promise.all((await room.store.list('s')).map(async ({ key }) => readFileSync(join(room.place, key), 'latin1')))).join('\n');

  it('no link is followed: of a segment, a manifest, a folder', async () => {
    rmSync(room.checkpoint('segments', `${segment(1)}.segment`));
    symlinkSync(secret(), room.checkpoint('segments', `${segment(1)}.segment`));
    expect(await ship(2)).toBe(1);
    expect(await room.stored()).toContain('00000001.manifest');
    expect(await room.stored()).not.toContain(`${segment(1)}.segment`);

    rmSync(room.checkpoint('manifests', manifestName(1)));
    symlinkSync(secret(), room.checkpoint('manifests', manifestName(1)));
    expect(await ship(2)).toBe(0);

    mkdirSync(join(room.root, 'home'));
    writeFileSync(join(room.root, 'home', `${segment(3)}.segment`), segmentBytes('secret'));
    rmSync(room.checkpoint('segments'), { recursive: true });
    symlinkSync(join(room.root, 'home'), room.checkpoint('segments'));
    rmSync(room.checkpoint('manifests', manifestName(1)));
    writeFileSync(room.checkpoint('manifests', manifestName(1)), `"sha":"${sha('code 1')}" ${segment(3)}`);
    expect(await ship(2)).toBe(1);
    rmSync(room.checkpoint('manifests'), { recursive: true });
    symlinkSync(join(room.root, 'home'), room.checkpoint('manifests'));
    expect(await ship(2)).toBe(-1);
    expect(await inStore()).not.toContain('secret');
  });

  it('a pipe or a folder in the place of a file holds nobody up', async () => {
    rmSync(room.checkpoint('segments', `${segment(1)}.segment`));
    spawnSync('mkfifo', [room.checkpoint('segments', `${segment(1)}.segment`)]);
    spawnSync('mkfifo', [room.checkpoint('fork.json')]);
    mkdirSync(room.checkpoint('manifests', manifestName(2)));
    expect(await ship(3)).toBe(1);
    expect(await room.stored()).not.toContain(`${segment(1)}.segment`);
  });

  it('only the names of segments are looked for, whatever a manifest says', async () => {
    writeFileSync(room.checkpoint('segments', 'mine'), 'secret');
    writeFileSync(join(room.folder, 'secret.segment'), 'secret');
    writeFileSync(room.checkpoint('manifests', manifestName(1)), `"sha":"${sha('code 1')}" ../secret mine ../../secret.segment ${segment(1)}/../mine 7-777777777777-0`);
    expect(await ship(2)).toBe(1);
    expect(await room.stored()).toEqual([`${segment(0)}.segment`, `${segment(1)}.segment`, '00000000.manifest', '00000001.manifest', 'identity.json'].sort());
  });

  it('no segment is shipped that does not end as one', async () => {
    writeFileSync(room.checkpoint('segments', `${segment(1)}.segment`), segmentBytes('bytes of 1').subarray(0, -1));
    expect(await ship(2)).toBe(1);
    expect(await room.stored()).not.toContain(`${segment(1)}.segment`);
  });

  it('no state is shipped that names more segments than any kernel saves, and it is told how to go on', async () => {
    writeFileSync(room.checkpoint('manifests', manifestName(1)), `"sha":"${sha('code 1')}" ${tooManyNames()}`);
    await expect(ship(2)).rejects.toThrow('The state after cell 1 names more than 100000 segments, as none does that a kernel has saved: it stays here, with all that come after it. A fork of the session before that cell is shipped again.');
    expect(await head(2)).toBe(0);
  });

  it('a file that is cut while it is copied is nothing in the store, and the manifest that names it waits', async () => {
    room.commit(1, { bytes: Buffer.alloc(300_000, 1) });
    const store = watched(async (key, next) => {
      if (key.includes(segment(1))) writeFileSync(room.checkpoint('segments', `${segment(1)}.segment`), 'cut');
      await next();
    });
    await expect(shipCheckpoint(store, room.shipment(2))).rejects.toThrow('ended after 3');
    expect(await room.stored()).toEqual([`${segment(0)}.segment`, '00000000.manifest', 'identity.json'].sort());
    expect(await head(2)).toBe(0);
  });

  it('a file that grows while it is copied gives no more than it had', async () => {
    const store = watched(async (key, next) => {
      if (key.includes(segment(1))) writeFileSync(room.checkpoint('segments', `${segment(1)}.segment`), Buffer.alloc(5_000_000, 1), { flag: 'a' });
      await next();
    });
    expect(await shipCheckpoint(store, room.shipment(2))).toBe(1);
    expect((await room.store.list('s')).find(({ key }) => key.includes(segment(1)))!.bytes).toBe(segmentBytes('bytes of 1').length);
  });

  it('a manifest that is replaced while its segments are copied waits for the next time', async () => {
    const store = watched(async (key, next) => {
      await next();
      if (key.includes(segment(1))) writeFileSync(room.checkpoint('manifests', manifestName(1)), `"sha":"${sha('code 1')}" another`);
    });
    expect(await shipCheckpoint(store, room.shipment(2))).toBe(0);
    expect(await head(2)).toBe(0);
    expect(await ship(2)).toBe(1);
  });

  it('no more is kept than twice its disk limit, whatever it says', async () => {
    room.commit(1, { bytes: Buffer.alloc(70_000) });
    await expect(ship(2, { diskBytes: 35_000 })).rejects.toThrow(/more than 70000 bytes there, 2 times its disk limit: delete variables or files/);
    expect(await head(2)).toBe(0);
    // A file with a hole takes no room on the disk that it is on.
    expect(await ship(2, { diskBytes: 36_000 })).toBe(1);
  });

  it('what it has taken back makes room when that is needed and a day has passed, and nothing else does', async () => {
    room.commit(1, { bytes: Buffer.alloc(60_000, 1) });
    await ship(2);
    const old = () => {
      for (const name of readdirSync(room.place, { recursive: true, encoding: 'utf8' })) utimesSync(join(room.place, name), 1, 1);
    };
    const taken = (await room.store.list('s')).filter(({ key }) => key.includes(segment(1)) || key.includes('/00000001-')).map(({ key }) => key);
    expect(taken).toHaveLength(2);
    rmSync(room.checkpoint('segments', `${segment(1)}.segment`));
    writeFileSync(room.checkpoint('segments', `${segment(2)}.segment`), segmentBytes(Buffer.alloc(60_000, 2)));
    writeFileSync(room.checkpoint('manifests', manifestName(1)), `"sha":"${sha('code 1')}" ${segment(0)} ${segment(2)}`);
    await expect(ship(2, { diskBytes: 40_000 })).rejects.toThrow('2 times its disk limit');
    old();
    expect(await ship(2, { diskBytes: 40_000 })).toBe(1);
    const keys = (await room.store.list('s')).map(({ key }) => key);
    expect(keys.filter((key) => taken.includes(key))).toEqual([]);
    room.lose();
    expect(await refill(2)).toBe(1);
    expect(readdirSync(room.checkpoint('segments')).sort()).toEqual([segment(0), segment(2)].map((name) => `${name}.segment`));
  });
});

describe('a lost folder is filled', () => {
  beforeEach(async () => {
    for (const k of [0, 1, 2]) room.commit(k);
    writeFileSync(room.checkpoint('fork.json'), JSON.stringify({ k: 0, entropy: 'ab'.repeat(32), more: 'x' }));
    await ship(3);
  });

  it('with the newest state of the chain and all it builds on, under the same name and seed', async () => {
    const before = [room.manifests().map((name) => room.read('manifests', name)), [0, 1, 2].map((k) => room.read('segments', `${segment(k)}.segment`))];
    room.lose();
    expect(await refill(4)).toBe(2);
    expect([room.manifests().map((name) => room.read('manifests', name)), [0, 1, 2].map((k) => room.read('segments', `${segment(k)}.segment`))]).toEqual(before);
    expect(keptIdentity(room.folder)).toEqual({ session: 'slot-1', hashSeed: 42 });
    expect(JSON.parse(room.read('fork.json'))).toEqual({ k: 0, entropy: 'ab'.repeat(32) });
    expect(readdirSync(room.root).sort()).toEqual(['elsewhere', 'sandbox']);
    // And what is there is known to be there.
    const store = watched((_key, next) => next());
    expect(await shipCheckpoint(store, room.shipment(4))).toBe(2);
    expect(store.order).toEqual([]);
  });

  it('to no state that a cell of the chain does not have', async () => {
    room.lose();
    const recordOf = (k: number) => sha(k < 2 ? `record ${k}` : `another record ${k}`);
    expect(await refill(4, { recordOf })).toBe(1);
    expect(room.manifests()).toEqual([0, 1].map(manifestName));
    room.lose();
    expect(await refill(4, { recordOf: () => sha('another session') })).toBeUndefined();
    expect(existsSync(room.folder)).toBe(false);
  });

  it('but not one that holds a state, nor for a session without cells', async () => {
    rmSync(room.checkpoint('manifests', manifestName(2)));
    expect(await refill(4)).toBeUndefined();
    expect(room.manifests()).toEqual([0, 1].map(manifestName));
    room.lose();
    expect(await refill(0)).toBeUndefined();
  });

  it('also when it is there and its states are not: what lies in it is of a kernel that is gone', async () => {
    rmSync(room.checkpoint('manifests'), { recursive: true });
    writeFileSync(join(room.folder, 'workspace', 'left'), 'x');
    expect(await refill(4)).toBe(2);
    expect(existsSync(join(room.folder, 'workspace', 'left'))).toBe(false);
    expect(readdirSync(room.root).sort()).toEqual(['elsewhere', 'sandbox']);
  });

  it('also when what lies there is deeper than any path, and that is gone then', async () => {
    rmSync(room.checkpoint('manifests'), { recursive: true });
    makeDeep(join(room.folder, 'workspace'));
    expect(await refill(4)).toBe(2);
    expect(readdirSync(room.root).sort()).toEqual(['elsewhere', 'sandbox']);
  });

  it('also when what lay there can not be removed: that is swept with whatever else was left, a day later', async () => {
    rmSync(room.checkpoint('manifests'), { recursive: true });
    vi.stubEnv('PATH', '/nowhere');
    expect(await refill(4)).toBe(2);
    vi.unstubAllEnvs();
    const lost = readdirSync(room.root).find((name) => name.startsWith('sandbox.lost-'))!;
    for (const n of [1, 2, 3, 4, 5, 6]) symlinkSync('/nowhere', join(room.root, `sandbox.lost-link-${n}`));
    for (const name of [lost, 'sandbox.fetch-old', 'sandbox.lost-old']) {
      mkdirSync(join(room.root, name), { recursive: true });
      utimesSync(join(room.root, name), 1, 1);
    }
    room.lose();
    expect(await refill(4)).toBe(2);
    expect(readdirSync(room.root).filter((name) => !name.includes('link')).sort()).toEqual(['elsewhere', 'sandbox']);
  });

  it('never by half: a store that fails in the middle leaves it as it was', async () => {
    room.lose();
    const { store } = room;
    const failing: CheckpointStore = { ...watched((_key, next) => next()), get: async (key) => (key.includes(segment(2)) ? { bytes: (await store.get(key))!.bytes, chunks: (async function* () { yield Buffer.from('ha'); throw new Error('The store is gone.'); })() } : store.get(key)) };
    await expect(refillCheckpoint(failing, room.shipment(4))).rejects.toThrow('The store is gone.');
    expect(readdirSync(room.root)).toEqual(['elsewhere']);
  });

  it.each([
    ['a segment that is cut', (path: string) => writeFileSync(path, readFileSync(path).subarray(0, 20)), segment(2)],
    ['a manifest that names more segments than any', (path: string) => writeFileSync(path, tooManyNames()), '/00000002-'],
    ['a manifest that is larger than any', (path: string) => truncateSync(path, MAX_MANIFEST_BYTES + 1), '/00000002-'],
    ['a manifest that is missing', (path: string) => rmSync(path), '/00000002-'],
  ])('with an older state where the newest has %s', async (_what, damage, part) => {
    room.lose();
    damage(join(room.place, (await room.store.list('s')).find(({ key }) => key.includes(part))!.key));
    expect(await refill(4, { diskBytes: 1 << 30 })).toBe(1);
    expect(room.manifests()).toEqual([0, 1].map(manifestName));
  });

  it('with none where what all build on is missing', async () => {
    room.lose();
    rmSync(join(room.place, (await room.store.list('s')).find(({ key }) => key.includes('/00000000-'))!.key));
    expect(await refill(4)).toBeUndefined();
    expect(await head(4)).toBe(-1);
  });

  it('not over a sandbox that somebody else has started meanwhile', async () => {
    room.lose();
    const { store } = room;
    const slow: CheckpointStore = { ...watched((_key, next) => next()), get: async (key) => {
      if (!existsSync(room.folder)) {
        room.begin('another');
        room.commit(0);
      }
      return store.get(key);
    } };
    expect(await refillCheckpoint(slow, room.shipment(4))).toBeUndefined();
    expect(keptIdentity(room.folder)).toMatchObject({ session: 'another' });
    expect(readdirSync(room.root).sort()).toEqual(['elsewhere', 'sandbox']);
  });
});

describe('in the background', () => {
  it('a session is shipped by one at a time, and what was asked for meanwhile comes next', async () => {
    room.commit(0);
    let [running, most] = [0, 0];
    const store = watched(async (_key, next) => {
      most = Math.max(most, ++running);
      await next();
      running -= 1;
    });
    const told: number[] = [];
    const checkpoints = new Checkpoints({ store });
    const order = (cells: number) => ({ ...room.shipment(cells), pending: false, onShipped: (k: number) => void told.push(k) });
    checkpoints.ship(order(1));
    room.commit(1);
    for (let n = 0; n < 5; n += 1) checkpoints.ship(order(2));
    await checkpoints.settled(10_000);
    expect([most, told.at(-1)]).toEqual([1, 1]);
    checkpoints.ship(order(2));
    await checkpoints.settled(10_000);
    expect(new Set(told).size).toBe(told.length);
  });

  it('a store that fails is told in a sentence, once in the log, and the next cell ships all', async () => {
    room.commit(0);
    let broken = true;
    const [said, logged, told]: [string[], string[], number[]] = [[], [], []];
    const checkpoints = new Checkpoints({ store: watched((_key, next) => (broken ? Promise.reject(new Error('EIO: i/o error')) : next())), warn: (sentence) => void logged.push(sentence) });
    const order = (cells: number) => ({ ...room.shipment(cells), pending: false, onShipped: (k: number) => void told.push(k), onFailed: (sentence: string) => void said.push(sentence) });
    for (let n = 0; n < 2; n += 1) {
      checkpoints.ship(order(1));
      await checkpoints.settled(10_000);
    }
    expect(said).toEqual([said[0], said[0]]);
    expect(said[0]).toBe('The states of session s could not all be shipped to watched, which is tried again after its next cell: EIO: i/o error.');
    expect(logged).toEqual([said[0]]);
    broken = false;
    room.commit(1);
    checkpoints.ship(order(2));
    await checkpoints.settled(10_000);
    expect(told).toEqual([1]);
  });

  it('a state that is still being written is waited for', async () => {
    room.commit(0);
    const told: number[] = [];
    const checkpoints = new Checkpoints({ store: room.store, lookMs: 20 });
    checkpoints.ship({ ...room.shipment(2), pending: true, onShipped: (k) => void told.push(k) });
    await eventually(() => told.includes(0), 'the first state is shipped');
    room.commit(1);
    await eventually(() => told.includes(1), 'the pending one is shipped');
    await checkpoints.settled(1000);
  });

  it('a store that can not be read lets the cells run again, and says so', async () => {
    room.lose();
    renameSync(room.place, `${room.place}.away`);
    const said: string[] = [];
    expect(await new Checkpoints({ store: room.store }).refill(room.shipment(3), { onFailed: (sentence) => void said.push(sentence) })).toBeUndefined();
    expect(said).toEqual([expect.stringMatching(/^The saved states of session s could not be fetched from .*, so its cells run again: There is no folder .*: mount or make it, or correct checkpoints.path\.$/)]);
  });
});
