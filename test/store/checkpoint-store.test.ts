import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { bytesOf, namesOf, objectOf, type CheckpointStore } from '../../src/store/checkpoint-store.js';
import { FewCalls } from '../../src/store/few-calls.js';
import { FolderCheckpoints, STATES_MARK } from '../../src/store/folder-checkpoints.js';

const place = () => {
  const at = mkdtempSync(join(tmpdir(), 'nl2code-checkpoints-'));
  writeFileSync(join(at, STATES_MARK), '');
  return at;
};
const folders: string[] = [];
const STORES: [name: string, open: (at: string) => CheckpointStore][] = [
  ['a folder', (at) => new FolderCheckpoints(at, 'process')],
  ['a folder that survives a power cut', (at) => new FolderCheckpoints(at, 'host')],
];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const text = async (store: CheckpointStore, key: string) => {
  const found = await store.get(key);
  return found && (await bytesOf(found, 1 << 20)).toString();
};

describe.each(STORES)('a checkpoint store in %s', (_, open) => {
  let store: CheckpointStore;
  /** The same place as another host has it. */
  let other: CheckpointStore;
  beforeEach(() => {
    folders.push(place());
    [store, other] = [open(folders.at(-1)!), open(folders.at(-1)!)];
  });

  it('has what was put, for every host, by its key and in its list', async () => {
    await store.put('s/l/segments/1', objectOf(Buffer.from('one')));
    await store.put('s/l/segments/2', objectOf(Buffer.alloc(3 << 20, 7)));
    await store.put('other/l/segments/1', objectOf(Buffer.from('else')));
    expect(await text(other, 's/l/segments/1')).toBe('one');
    expect((await bytesOf((await other.get('s/l/segments/2'))!, 4 << 20)).equals(Buffer.alloc(3 << 20, 7))).toBe(true);
    expect((await other.list('s')).map(({ key, bytes }) => [key, bytes]).sort()).toEqual([['s/l/segments/1', 3], ['s/l/segments/2', 3 << 20]]);
    expect(Math.abs((await other.list('s'))[0]!.putAt - Date.now())).toBeLessThan(60_000);
  });

  it('has nothing where nothing was put, and removes nothing without complaint', async () => {
    expect(await store.get('s/l/1')).toBeUndefined();
    expect(await store.list('s')).toEqual([]);
    await store.remove('s/l/1');
    await store.tidy('s');
  });

  it('forgets what was removed', async () => {
    await store.put('s/1', objectOf(Buffer.from('one')));
    await store.remove('s/1');
    expect(await other.get('s/1')).toBeUndefined();
    expect(await other.list('s')).toEqual([]);
  });

  it.each([
    ['fewer bytes than were said', { bytes: 5, chunks: objectOf(Buffer.from('four')).chunks }],
    ['more bytes than were said', { bytes: 3, chunks: objectOf(Buffer.from('four')).chunks }],
    ['a source that fails', { bytes: 3, chunks: (async function* () { yield Buffer.from('a'); throw new Error('gone'); })() }],
  ])('has nothing of an object with %s', async (_what, object) => {
    await expect(store.put('s/1', object)).rejects.toThrow();
    expect(await other.get('s/1')).toBeUndefined();
    expect(await other.list('s')).toEqual([]);
  });

  it('takes the same object from several at once', async () => {
    const bytes = Buffer.alloc(1 << 20, 3);
    for (let n = 0; n < 20; n += 1) await Promise.all([store, other, store].map((each) => each.put(`s/${n}`, objectOf(bytes))));
    for (let n = 0; n < 20; n += 1) expect((await bytesOf((await store.get(`s/${n}`))!, 1 << 20)).equals(bytes)).toBe(true);
    expect(await store.list('s')).toHaveLength(20);
  });

  it.each(['', '..', 's/../t', '/etc/passwd', 's//1', 's/.', 's/a b', 's/\0', `s/${'x'.repeat(201)}`])('looks at nothing under %j', async (key) => {
    const works: (() => Promise<unknown>)[] = [() => store.get(key), () => store.put(key, objectOf(Buffer.from('x'))), () => store.list(key), () => store.remove(key)];
    for (const work of works) await expect(Promise.resolve().then(work)).rejects.toThrow('no key of a checkpoint store');
  });
});

describe('a folder of checkpoints', () => {
  let at: string;
  let store: FolderCheckpoints;
  beforeEach(() => {
    folders.push((at = place()));
    store = new FolderCheckpoints(at, 'process');
  });

  it('is seen by its owner alone', async () => {
    await store.put('s/l/1', objectOf(Buffer.from('one')));
    expect(statSync(join(at, 's', 'l', '1')).mode & 0o077).toBe(0);
    expect(statSync(join(at, 's')).mode & 0o077).toBe(0);
  });

  it('that is not mounted is an error, and its mount point is not filled', async () => {
    rmSync(at, { recursive: true });
    const said = `There is no folder ${at}: mount or make it, or correct checkpoints.path.`;
    await expect(store.list('s')).rejects.toThrow(said);
    await expect(store.put('s/1', objectOf(Buffer.from('one')))).rejects.toThrow(said);
    await expect(store.put('1', objectOf(Buffer.from('one')))).rejects.toThrow(said);
    expect(existsSync(at)).toBe(false);
  });

  it('that is not marked is an error, and an empty mount point is not filled until somebody marks it', async () => {
    rmSync(join(at, STATES_MARK));
    const said = `${at} has no file nl2code-states, so it may be a mount point where nothing is mounted: mount it, or, where it is the folder for states, run nl2code doctor --init-checkpoints once.`;
    await expect(store.list('s')).rejects.toThrow(said);
    await expect(store.put('s/1', objectOf(Buffer.from('one')))).rejects.toThrow(said);
    await expect(store.put('1', objectOf(Buffer.from('one')))).rejects.toThrow(said);
    expect(readdirSync(at)).toEqual([]);
    for (let n = 0; n < 2; n += 1) await store.init();
    await store.put('s/1', objectOf(Buffer.from('one')));
    expect((await store.list('s')).map(({ key }) => key)).toEqual(['s/1']);
    await expect(new FolderCheckpoints(join(at, 'gone'), 'process').init()).rejects.toThrow('There is no folder');
  });

  it('that hangs is an error at once while it does, for all that is asked of it', async () => {
    const calls = new FewCalls(2, 20);
    const hanging = new FolderCheckpoints(at, 'process', calls);
    let back!: () => void;
    const stuck = calls.run(at, () => new Promise<void>((resolve) => (back = resolve)));
    await expect(stuck).rejects.toThrow(`${at} does not answer: a call of its file system takes longer than 0.02 s.`);
    for (const work of [() => hanging.list('s'), () => hanging.get('s/1'), () => hanging.put('s/1', objectOf(Buffer.from('one')))]) await expect(work()).rejects.toThrow('does not answer');
    back();
    await new Promise(setImmediate);
    await hanging.put('s/1', objectOf(Buffer.from('one')));
    expect(await text(hanging, 's/1')).toBe('one');
  });

  it('is asked by two calls at a time, however much is listed', async () => {
    let [running, most, asked] = [0, 0, 0];
    const noted = new (class extends FewCalls {
      override run<T>(where: string, call: () => Promise<T>, late?: (value: T) => unknown): Promise<T> {
        return super.run(where, () => {
          [asked, running] = [asked + 1, running + 1];
          most = Math.max(most, running);
          return call().finally(() => (running -= 1));
        }, late);
      }
    })(2, 10_000);
    for (let n = 0; n < 50; n += 1) await store.put(`s/l/${n}`, objectOf(Buffer.from('x')));
    expect(await new FolderCheckpoints(at, 'process', noted).list('s')).toHaveLength(50);
    expect(most).toBe(2);
    expect(asked).toBeGreaterThan(50);
  });

  it('lists no put that was killed, and sweeps it when nobody can be at it any more', async () => {
    await store.put('s/l/1', objectOf(Buffer.from('one')));
    const [fresh, old] = [join(at, 's', 'l', '.put-a'), join(at, 's', 'l', '.put-b')];
    for (const path of [fresh, old]) writeFileSync(path, 'half');
    utimesSync(old, 1, 1);
    expect((await store.list('s')).map(({ key }) => key)).toEqual(['s/l/1']);
    await store.tidy('s');
    expect(readdirSync(join(at, 's', 'l')).sort()).toEqual(['.put-a', '1']);
  });

  it('follows no link that stands for an object', async () => {
    mkdirSync(join(at, 's'));
    writeFileSync(join(at, 'secret'), 'secret');
    symlinkSync(join(at, 'secret'), join(at, 's', '1'));
    await expect(store.get('s/1')).rejects.toThrow('no file');
    expect(await store.list('s')).toEqual([]);
  });

  it('says so when an object changes its size while it is read', async () => {
    await store.put('s/1', objectOf(Buffer.alloc(100)));
    const found = (await store.get('s/1'))!;
    writeFileSync(join(at, 'shorter'), 'x');
    renameSync(join(at, 'shorter'), join(at, 's', '1'));
    await expect(bytesOf(found, 1000)).rejects.toThrow('ended after 1');
  });

  it('that can not be written to is an error', async () => {
    writeFileSync(join(at, 's'), 'no folder');
    await expect(store.put('s/1', objectOf(Buffer.from('one')))).rejects.toThrow('ENOTDIR');
  });

  it('keeps what is there when it is put again', async () => {
    await store.put('s/1', objectOf(Buffer.from('one')));
    await store.put('s/1', objectOf(Buffer.from('one')));
    expect(readFileSync(join(at, 's', '1'), 'utf8')).toBe('one');
  });
});

test('the names of a key are plain', () => expect(namesOf('s/l-1/manifests/1.a')).toEqual(['s', 'l-1', 'manifests', '1.a']));

test('what waits behind a call that hangs fails with it, and what comes back late is closed', async () => {
  const calls = new FewCalls(1, 20);
  let back!: (value: string) => void;
  const closed: string[] = [];
  const stuck = calls.run('It', () => new Promise<string>((resolve) => (back = resolve)), (value) => closed.push(value));
  const behind = calls.run('It', () => Promise.resolve('never'));
  expect((await Promise.allSettled([stuck, behind])).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  back('a file');
  await new Promise(setImmediate);
  expect(closed).toEqual(['a file']);
  expect(await calls.run('It', () => Promise.resolve('again'))).toBe('again');
});
