import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { KernelHooks } from '../../src/kernel/kernels.js';
import { Checkpoints } from '../../src/sandbox/checkpoints.js';
import { manifestName } from '../../src/sandbox/manifests.js';
import { refillCheckpoint } from '../../src/sandbox/refill-checkpoint.js';
import { shipCheckpoint, type Shipment } from '../../src/sandbox/ship-checkpoint.js';
import type { Isolation } from '../../src/session/request.js';
import { FolderCheckpoints } from '../../src/store/folder-checkpoints.js';
import { Rig } from './rig.js';
import { segment, sha, ShippedRoom } from './shipped-room.js';

/** A shipper in a process of its own, which is killed where it is told to; with `at` -1 it ends by itself. */
async function shipped(place: string, folder: string, cells: number, at: number, when = 'before'): Promise<string | null> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./shipper.mjs', import.meta.url)), place, folder, String(cells), String(at), when], { stdio: ['ignore', 'inherit', 'inherit'] });
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  if (signal === null) expect(code).toBe(0);
  return signal;
}

/** Changes the bytes of files that a guest wrote, under other inodes. */
function damage(folder: string, of: 'manifests' | 'segments', name: RegExp, change: (bytes: Buffer) => void): void {
  const within = join(folder, 'checkpoint', of);
  for (const path of readdirSync(within).filter((each) => name.test(each)).map((each) => join(within, each))) {
    const bytes = readFileSync(path);
    change(bytes);
    rmSync(path);
    writeFileSync(path, bytes);
  }
}

describe('a shipper that is killed', () => {
  let room: ShippedRoom;
  beforeEach(() => {
    room = new ShippedRoom();
    for (const k of [0, 1]) room.commit(k, { bytes: Buffer.alloc(300_000, k + 1) });
  });
  afterEach(() => room.close());

  // identity, segment 0, manifest 0, segment 1, manifest 1
  const puts = [0, 1, 2, 3, 4];
  it.each(puts.flatMap((at) => ['before', 'half', 'after'].map((when) => [when, at] as const)))('%s put %i leaves whole states only, and the next one ships what is missing', async (when, at) => {
    expect(await shipped(room.place, room.folder, 2, at, when)).toBe('SIGKILL');
    const done = at + (when === 'after' ? 1 : 0);
    const head = done >= 5 ? 1 : done >= 3 ? 0 : undefined;
    const aside = room.shipment(2, { folder: join(room.root, 'aside') });
    expect(await refillCheckpoint(room.store, aside)).toBe(head);
    expect(existsSync(aside.folder)).toBe(head !== undefined);
    if (head !== undefined) {
      expect(readdirSync(join(aside.folder, 'checkpoint', 'manifests')).sort()).toEqual([0, 1].slice(0, head + 1).map(manifestName));
      expect(readdirSync(join(aside.folder, 'checkpoint', 'segments')).sort()).toEqual([0, 1].slice(0, head + 1).map((k) => `${segment(k)}.segment`));
      rmSync(aside.folder, { recursive: true });
    }
    expect(await shipCheckpoint(room.store, room.shipment(2))).toBe(1);
    expect(await refillCheckpoint(room.store, aside)).toBe(1);
  });

  it('beside another that goes on costs it nothing', async () => {
    const ended = await Promise.all([shipped(room.place, room.folder, 2, 3, 'half'), shipped(room.place, room.folder, 2, -1)]);
    expect(ended[1]).toBeNull();
    room.lose();
    expect(await refillCheckpoint(room.store, room.shipment(2))).toBe(1);
  });
});

describe.each<Isolation>(['bubblewrap', 'none'])('a sandbox whose folder is lost, isolation %s', (isolation) => {
  let rig: Rig;
  let store: FolderCheckpoints;
  beforeAll(async () => {
    rig = new Rig({ isolation });
    mkdirSync(join(rig.root, 'elsewhere'));
    store = new FolderCheckpoints(join(rig.root, 'elsewhere'), 'process');
    await store.init();
  });
  afterAll(() => rig.close(), 60_000);

  const cells = [
    'import random\nimport numpy as np\nrows = {"a": [1, 2]}\nalso = rows["a"]\nbig = np.arange(3_000_000)\nopen("log", "a").write("0")',
    'also.append(3)\nbig[7] = -1\ndrawn = random.random()\nopen("log", "a").write("1")',
    'also.append(random.random())\nopen("log", "a").write("2")',
    'class Point:\n    def __init__(self, x): self.x = x\npoint = Point(big[7])\nopen("log", "a").write("3")',
  ];
  const LOOK = 'rows["a"] is also, also, int(big.sum()), drawn, type(point).__name__, int(point.x), open("log").read(), hash("a"), random.random()';
  const ran = async () => {
    const sandbox = rig.sandbox({ isolation });
    const shipment = (count: number): Shipment => ({ session: sandbox.spec.id, folder: sandbox.spec.folder, cells: count, recordOf: (k) => (k < count ? sha(`${sandbox.spec.id} ${k}`) : undefined), codeShaOf: (k) => sha(cells[k]!), diskBytes: sandbox.spec.limits.diskBytes });
    for (const code of cells) await sandbox.value(code);
    return { sandbox, shipment };
  };
  const lose = async ({ sandbox }: Awaited<ReturnType<typeof ran>>) => {
    const before = await sandbox.value(LOOK);
    await rig.kernels.end(sandbox.spec);
    rmSync(sandbox.spec.folder, { recursive: true });
    return before;
  };
  /** Looks again as the cell after all of these, and says which ran again for it. */
  const look = async ({ sandbox }: Awaited<ReturnType<typeof ran>>, onBehind?: KernelHooks['onBehind']) => {
    const again: number[] = [];
    const { reply } = await sandbox.run(LOOK, { k: cells.length, past: (k) => ({ code: cells[k]!, timeoutMs: 30_000 }), onBehind, onCaughtUp: (k) => void again.push(k) });
    await rig.kernels.end(sandbox.spec);
    return { shown: reply.result?.text['text/plain']?.text, again, restored: reply.restored };
  };

  it('goes on from the newest state that was shipped: only the cells after it run again, and all is as it was', async () => {
    const session = await ran();
    expect(await shipCheckpoint(store, session.shipment(2))).toBe(1);
    const before = await lose(session);
    expect(await refillCheckpoint(store, session.shipment(4))).toBe(1);
    const { shown, again, restored } = await look(session);
    expect(shown).toBe(before);
    expect(again).toEqual([2, 3]);
    expect(restored).toMatchObject({ head: 1, lost: [], unproved: [], notes: [] });
  });

  it('runs no cell again when all states were shipped', async () => {
    const session = await ran();
    expect(await shipCheckpoint(store, session.shipment(4))).toBe(3);
    const before = await lose(session);
    expect(await refillCheckpoint(store, session.shipment(4))).toBe(3);
    expect(await look(session)).toMatchObject({ shown: before, again: [], restored: { head: 3 } });
  });

  it.each([
    ['each segment of the first cell is another by one byte', (folder: string) => damage(folder, 'segments', /^0-.*segment$/, (bytes) => (bytes[bytes.length >> 1]! ^= 1))],
    ['the newest manifest is cut', (folder: string) => damage(folder, 'manifests', /^00000003/, (bytes) => void bytes.fill(0))],
  ])('has its later state back from the store when %s', async (_what, spoil) => {
    const session = await ran();
    await shipCheckpoint(store, session.shipment(4));
    const before = await session.sandbox.value(LOOK);
    await rig.kernels.end(session.sandbox.spec);
    rmSync(join(session.sandbox.spec.folder, 'checkpoint', 'manifests', manifestName(4)));
    spoil(session.sandbox.spec.folder);
    const behind: number[] = [];
    const seen = await look(session, (head, end) => (behind.push(head), new Checkpoints({ store }).renew(session.shipment(4), head, end)));
    expect(seen).toMatchObject({ shown: before, again: [], restored: { head: 3 } });
    expect(behind).toHaveLength(1);
    expect(behind[0]).toBeLessThan(3);
  });

  it('keeps its sandbox where the store has no later state', async () => {
    const session = await ran();
    await shipCheckpoint(store, session.shipment(2));
    let ended = 0;
    expect(await new Checkpoints({ store }).renew(session.shipment(4), 1, async () => void (ended += 1))).toBeUndefined();
    expect(ended).toBe(0);
    await rig.kernels.end(session.sandbox.spec);
  });

  it('goes on from the state before one whose shipper was killed', async () => {
    const session = await ran();
    await shipCheckpoint(store, session.shipment(1));
    const killed = await shipCheckpoint({ place: '', get: (key) => store.get(key), list: (prefix) => store.list(prefix), remove: (key) => store.remove(key), tidy: (prefix) => store.tidy(prefix), put: (key, object) => (key.includes('/00000002-') ? Promise.reject(new Error('killed')) : store.put(key, object)) }, session.shipment(4)).catch((error: Error) => error.message);
    expect(killed).toBe('killed');
    const before = await lose(session);
    expect(await refillCheckpoint(store, session.shipment(4))).toBe(1);
    expect(await look(session)).toMatchObject({ shown: before, again: [2, 3] });
  });
});
