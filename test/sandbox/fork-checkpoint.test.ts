import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { forkCheckpoint } from '../../src/sandbox/fork-checkpoint.js';
import { manifestName, manifestNumbers } from '../../src/sandbox/manifests.js';
import { rollBack } from '../../src/sandbox/process/roll-back.js';
import { keepIdentity, keptIdentity, layOut } from '../../src/sandbox/process/sandbox-folder.js';
import { verifiedLine } from '../../src/sandbox/verified-segments.js';
import { makeDeep } from '../store/deep-tree.js';
import { segmentBytes, tooManyNames } from './shipped-room.js';

const segment = (n: number) => `${n}-${String(n).repeat(12).slice(0, 12)}-0`;
const onAnotherDisk = existsSync('/dev/shm') && statSync('/dev/shm').dev !== statSync(tmpdir()).dev;

describe('a folder of a sandbox', () => {
  let root: string;
  let parent: string;
  const checkpoint = (...names: string[]) => join(parent, 'checkpoint', ...names);
  const manifests = (folder: string) => manifestNumbers(join(folder, 'checkpoint', 'manifests'));
  const segments = (folder: string) => readdirSync(join(folder, 'checkpoint', 'segments')).sort();
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'nl2code-fork-'));
    parent = join(root, 'parent');
    layOut(parent);
    keepIdentity(parent, { session: 'slot-1', hashSeed: 42 });
    mkdirSync(checkpoint('manifests'));
    mkdirSync(checkpoint('segments'));
    for (const k of [0, 1, 2, 4]) {
      writeFileSync(checkpoint('segments', `${segment(k)}.segment`), segmentBytes(`bytes of ${k}`), { mode: 0o600 });
      // Each names its own segment and that of the first cell.
      writeFileSync(checkpoint('manifests', manifestName(k)), `\0\xff["${segment(0)}",0,3],["${segment(k)}",0,3]`, { mode: 0o600 });
    }
    writeFileSync(checkpoint('segments', `${segment(9)}.tmp`), 'unfinished');
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  describe('can be forked', () => {
    it('at a cell: the fork has what was committed up to it, and what that names, and is known by the same name and seed', async () => {
      const to = join(root, 'deep', 'fork');
      expect(await forkCheckpoint(parent, 1, to, 1 << 20)).toEqual({ head: 1 });
      expect(manifests(to)).toEqual([0, 1]);
      expect(segments(to)).toEqual([0, 1].map((k) => `${segment(k)}.segment`));
      expect(readFileSync(join(to, 'checkpoint', 'segments', `${segment(1)}.segment`))).toEqual(segmentBytes('bytes of 1'));
      expect(readFileSync(join(to, 'checkpoint', 'manifests', manifestName(1)))).toEqual(readFileSync(checkpoint('manifests', manifestName(1))));
      expect(keptIdentity(to)).toEqual({ session: 'slot-1', hashSeed: 42 });
      expect(readdirSync(to).sort()).toEqual(['checkpoint', 'run']);
      expect(readdirSync(join(root, 'deep'))).toEqual(['fork']);
    });

    it('at a cell that has no manifest of its own: at the one before', async () => {
      expect(await forkCheckpoint(parent, 3, join(root, 'fork'), 1 << 20)).toEqual({ head: 2 });
    });

    it('before the first cell: nothing of the past is there', async () => {
      const to = join(root, 'fork');
      expect(await forkCheckpoint(parent, -1, to, 1 << 20)).toEqual({ head: -1 });
      expect([manifests(to), segments(to)]).toEqual([[], []]);
    });

    it('and says to the guest where it begins, with randomness that no other fork has', async () => {
      const said = await Promise.all(['one', 'two'].map(async (name) => {
        await forkCheckpoint(parent, 2, join(root, name), 1 << 20);
        return JSON.parse(readFileSync(join(root, name, 'checkpoint', 'fork.json'), 'utf8')) as { k: number; entropy: string };
      }));
      expect(said.map(({ k }) => k)).toEqual([2, 2]);
      expect(said[0]!.entropy).toMatch(/^[0-9a-f]{64}$/);
      expect(said[0]!.entropy).not.toBe(said[1]!.entropy);
    });

    it.runIf(process.getuid?.() === 0)('and what it shares with its parent belongs to neither: not even its owner may write to it', async () => {
      const to = join(root, 'fork');
      await forkCheckpoint(parent, 1, to, 1 << 20);
      const shared = lstatSync(join(to, 'checkpoint', 'segments', `${segment(0)}.segment`));
      expect(shared).toMatchObject({ ino: lstatSync(checkpoint('segments', `${segment(0)}.segment`)).ino, uid: 0 });
      expect(shared.mode & 0o222).toBe(0);
    });

    describe('and what the guest had found whole', () => {
      const at = (folder: string, k: number) => lstatSync(join(folder, 'checkpoint', 'segments', `${segment(k)}.segment`), { bigint: true });
      const line = (folder: string, k: number) => verifiedLine(segment(k), at(folder, k));
      const record = (folder: string) => readFileSync(join(folder, 'checkpoint', 'segments', 'verified'), 'utf8').trim().split('\n');
      beforeEach(() => writeFileSync(checkpoint('segments', 'verified'), `${line(parent, 0)}\n${line(parent, 1).replace(/\d$/, 'x')}\n`));

      it.runIf(process.getuid?.() === 0)('is known to be so in both, and stays so however many forks come and go', async () => {
        const [one, two] = [join(root, 'one'), join(root, 'two')];
        await forkCheckpoint(parent, 1, one, 1 << 20);
        expect(record(one)).toEqual([line(one, 0)]);
        expect(record(parent)).toContain(line(one, 0));
        await forkCheckpoint(parent, 1, two, 1 << 20);
        rmSync(one, { recursive: true });
        for (const folder of [parent, two]) {
          expect(record(folder)).toContain(line(folder, 0));
          expect(record(folder)).not.toContain(line(folder, 1));
        }
        expect(record(parent).filter((text) => text === line(parent, 0))).toHaveLength(1);
      });

      it.runIf(process.getuid?.() === 0)('is not where it was written to since', async () => {
        await forkCheckpoint(parent, 0, join(root, 'one'), 1 << 20);
        writeFileSync(checkpoint('segments', `${segment(0)}.segment`), segmentBytes('bytes of ?'));
        utimesSync(checkpoint('segments', `${segment(0)}.segment`), 1, 2);
        await forkCheckpoint(parent, 0, join(root, 'two'), 1 << 20);
        expect(existsSync(join(root, 'two', 'checkpoint', 'segments', 'verified'))).toBe(false);
      });

      it('is known to be so of a copy of it', async () => {
        const getuid = vi.spyOn(process, 'getuid').mockReturnValue(1000);
        const to = join(root, 'fork');
        await forkCheckpoint(parent, 1, to, 1 << 20);
        getuid.mockRestore();
        expect(at(to, 0).ino).not.toBe(at(parent, 0).ino);
        expect(record(to)).toEqual([line(to, 0)]);
        expect(record(parent)).toEqual([line(parent, 0), line(parent, 1).replace(/\d$/, 'x')]);
      });
    });

    it.runIf(onAnotherDisk)('to where nothing can be shared: it has its own copy', async () => {
      const elsewhere = mkdtempSync('/dev/shm/nl2code-fork-');
      try {
        await forkCheckpoint(parent, 1, join(elsewhere, 'fork'), 1 << 20);
        writeFileSync(checkpoint('segments', `${segment(1)}.segment`), 'changed in the parent');
        expect(readFileSync(join(elsewhere, 'fork', 'checkpoint', 'segments', `${segment(1)}.segment`))).toEqual(segmentBytes('bytes of 1'));
      } finally {
        rmSync(elsewhere, { recursive: true });
      }
    });

    describe('and where it has copies of its own', () => {
      beforeEach(() => void vi.spyOn(process, 'getuid').mockReturnValue(1000));
      afterEach(() => void vi.restoreAllMocks());
      const usedBytes = (folder: string) => readdirSync(folder, { recursive: true, encoding: 'utf8' }).reduce((sum, name) => sum + lstatSync(join(folder, name)).blocks * 512, 0);

      it('no file is copied that is larger than its disk: one that ends as a segment, with a hole of terabytes', async () => {
        const [size, path] = [8 * 2 ** 40, checkpoint('segments', `${segment(1)}.segment`)];
        const trailer = segmentBytes('');
        trailer.writeBigUInt64LE(BigInt(size - trailer.length), 0);
        truncateSync(path, size - trailer.length);
        writeFileSync(path, trailer, { flag: 'a' });
        const to = join(root, 'fork');
        expect(await forkCheckpoint(parent, 2, to, 1 << 20)).toEqual({ head: 2 });
        expect(segments(to)).toEqual([0, 2].map((k) => `${segment(k)}.segment`));
      });

      it('no more is copied in all than its disk holds', async () => {
        for (const k of [0, 1, 2]) writeFileSync(checkpoint('segments', `${segment(k)}.segment`), segmentBytes(Buffer.alloc(400_000, k)));
        const to = join(root, 'fork');
        await forkCheckpoint(parent, 2, to, 1_000_000);
        expect(segments(to)).toHaveLength(2);
        for (const n of [0, 1, 2]) truncateSync(checkpoint('manifests', manifestName(n)), 60_000_000);
        await forkCheckpoint(parent, 2, join(root, 'another'), 70_000_000);
        expect(usedBytes(join(root, 'another'))).toBeLessThan(72_000_000);
      });

      it('what does not end as a segment is passed over', async () => {
        writeFileSync(checkpoint('segments', `${segment(1)}.segment`), Buffer.alloc(100_000));
        const to = join(root, 'fork');
        await forkCheckpoint(parent, 2, to, 1 << 20);
        expect(segments(to)).toEqual([0, 2].map((k) => `${segment(k)}.segment`));
      });
    });

    it('and no link that a cell left in it is followed', async () => {
      writeFileSync(join(root, 'secret'), 'secret');
      rmSync(checkpoint('segments', `${segment(1)}.segment`));
      symlinkSync(join(root, 'secret'), checkpoint('segments', `${segment(1)}.segment`));
      rmSync(checkpoint('manifests', manifestName(2)));
      symlinkSync(join(root, 'secret'), checkpoint('manifests', manifestName(2)));
      const to = join(root, 'fork');
      expect(await forkCheckpoint(parent, 2, to, 1 << 20)).toEqual({ head: 1 });
      expect(segments(to)).toEqual([`${segment(0)}.segment`]);

      rmSync(checkpoint('manifests'), { recursive: true });
      mkdirSync(join(root, 'elsewhere'));
      writeFileSync(join(root, 'elsewhere', manifestName(0)), 'secret');
      symlinkSync(join(root, 'elsewhere'), checkpoint('manifests'));
      expect(await forkCheckpoint(parent, 2, join(root, 'second'), 1 << 20)).toEqual({ head: -1 });
    });

    it('and no manifest that names more segments than any kernel saves is taken', async () => {
      writeFileSync(checkpoint('manifests', manifestName(2)), tooManyNames());
      const to = join(root, 'fork');
      expect(await forkCheckpoint(parent, 2, to, 1 << 20)).toEqual({ head: 1 });
      expect(manifests(to)).toEqual([0, 1]);
      expect(segments(to)).toEqual([0, 1].map((k) => `${segment(k)}.segment`));
    });

    it('but not into a folder that holds something, and not from one that never held a sandbox', async () => {
      mkdirSync(join(root, 'taken', 'workspace'), { recursive: true });
      await expect(forkCheckpoint(parent, 1, join(root, 'taken'), 1 << 20)).rejects.toMatchObject({ code: 'bad-request' });
      expect(readdirSync(join(root, 'taken'))).toEqual(['workspace']);
      await expect(forkCheckpoint(join(root, 'never'), 1, join(root, 'fork'), 1 << 20)).rejects.toMatchObject({ code: 'not-found' });
      expect(readdirSync(root).sort()).toEqual(['parent', 'taken']);
    });
  });

  describe('can be rolled back', () => {
    const write = (...path: string[]) => {
      mkdirSync(join(parent, ...path.slice(0, -1)), { recursive: true });
      writeFileSync(join(parent, ...path), 'x');
    };
    beforeEach(() => {
      write('workspace', 'made', 'by-a-cell.csv');
      makeDeep(join(parent, 'workspace', 'made'));
      write('scratch', 'cache');
      write('inputs', 'sales.csv');
    });

    it('to a cell: later ones are gone, files too, which come back with the state; inputs are linked again', async () => {
      await rollBack(parent, 2, 'bubblewrap');
      expect(manifests(parent)).toEqual([0, 1]);
      expect(readdirSync(join(parent, 'workspace'))).toEqual(['sales.csv']);
      expect(readdirSync(join(parent, 'scratch'))).toEqual([]);
      expect(existsSync(checkpoint('segments'))).toBe(true);
      expect(keptIdentity(parent)).toEqual({ session: 'slot-1', hashSeed: 42 });
    });

    it('to before everything: nothing is left but who it is and its inputs', async () => {
      await rollBack(parent, 0, 'bubblewrap');
      expect(readdirSync(join(parent, 'checkpoint'))).toEqual([]);
      expect(readdirSync(join(parent, 'workspace'))).toEqual(['sales.csv']);
      expect(keptIdentity(parent)).toEqual({ session: 'slot-1', hashSeed: 42 });
      await rollBack(join(root, 'never'), 0, 'bubblewrap');
    });

    it('and a folder that is a link is left alone, as is what links lead to', async () => {
      mkdirSync(join(root, 'home'));
      writeFileSync(join(root, 'home', 'mine'), 'x');
      symlinkSync(join(root, 'home'), join(parent, 'workspace', 'out'));
      rmSync(join(parent, 'scratch'), { recursive: true });
      symlinkSync(join(root, 'home'), join(parent, 'scratch'));
      rmSync(checkpoint('manifests'), { recursive: true });
      writeFileSync(join(root, 'home', manifestName(7)), 'x');
      symlinkSync(join(root, 'home'), checkpoint('manifests'));
      chmodSync(join(parent, 'workspace', 'made'), 0o500);
      await rollBack(parent, 0, 'none');
      expect(readdirSync(join(root, 'home')).sort()).toEqual([manifestName(7), 'mine']);
      expect(readdirSync(join(parent, 'workspace'))).toEqual(['sales.csv']);
    });
  });
});
