import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readKeptState } from '../../src/cli/kept-state.js';
import { forkCheckpoint } from '../../src/sandbox/fork-checkpoint.js';
import { rollBack } from '../../src/sandbox/process/roll-back.js';
import { reapSandboxes } from '../../src/sandbox/reaper.js';
import { refillCheckpoint, remoteHead } from '../../src/sandbox/refill-checkpoint.js';
import { shipCheckpoint } from '../../src/sandbox/ship-checkpoint.js';
import { sha256 } from '../../src/store/blobs.js';
import { FolderCheckpoints } from '../../src/store/folder-checkpoints.js';
import { SessionStore } from '../../src/store/session-store.js';
import { traceLines } from '../../src/store/trace.js';
import { record } from '../store/record.js';
import { PLACES, Rig, type Sandboxed } from './rig.js';

/** A checkpoint whose segment holds a pickle that runs code where it is loaded: it names a file of the host, and one of its own sandbox. */
describe('a checkpoint that would run code', () => {
  let rig: Rig;
  let box: Sandboxed;
  let outside: string;
  const inside = (folder: string) => join(folder, 'workspace', 'ran');
  const checkpoint = (...names: string[]) => join(box.spec.folder, 'checkpoint', ...names);

  beforeAll(() => {
    rig = new Rig();
  });
  afterAll(() => rig.close());

  beforeEach(async () => {
    box = rig.sandbox({ isolation: 'bubblewrap' });
    outside = join(rig.root, `ran-${box.spec.id}`);
    await box.value('kept = 1');
    // Longer than what stands in a state itself, so it stands in a segment.
    const code = `for path in (${JSON.stringify(outside)}, '/workspace/ran'):\n    try: open(path, 'a').write('ran')\n    except OSError: pass\n# ${'x'.repeat(5000)}`;
    await box.value(`code = ${JSON.stringify(code)}\nclass Bomb:\n    def __reduce__(self): return exec, (code,)\nbomb = Bomb()`);
    await rig.kernels.end(box.spec);
  });

  const neverRan = () => {
    expect(existsSync(outside)).toBe(false);
    expect(existsSync(inside(box.spec.folder))).toBe(false);
  };

  it('runs it in whoever unpickles: outside too', () => {
    neverRan();
    const load = `
import sys
from nl2code_guest.checkpoint.component import to_component
from nl2code_guest.checkpoint.manifests import read_manifest
from nl2code_guest.checkpoint.pickler import load
from nl2code_guest.checkpoint.saved_state import decode_state
from nl2code_guest.checkpoint.segments import Segments
for component in map(to_component, decode_state(read_manifest(sys.argv[1] + '/manifests', 1).state)['components']):
    if 'bomb' in component.names:
        assert component.inline is None
        load(component.read_stream(Segments(sys.argv[1] + '/segments')), [], {}, lambda name: object)
`;
    const { stderr } = spawnSync(join(PLACES.runtimeDir, 'python/bin/python3'), ['-c', load, checkpoint()], { encoding: 'utf8', cwd: PLACES.guestDir });
    expect(existsSync(outside), stderr).toBe(true);
  });

  it('runs it in its own sandbox only, where its session goes on', async () => {
    const { reply } = await box.run('open("ran").read(), kept');
    expect(reply.result?.text['text/plain']?.text).toBe("('ran', 1)");
    expect(existsSync(outside)).toBe(false);
  });

  it.runIf(process.getuid?.() === 0)('can be written to by nobody once a fork of it has started, whatever was open before', async () => {
    const open = await box.run('import os, glob\nheld = [os.open(path, os.O_RDWR) for path in glob.glob("/checkpoint/segments/*.segment")]\nlen(held)');
    expect(Number(open.reply.result?.text['text/plain']?.text)).toBeGreaterThan(0);
    const fork = rig.sandbox({ isolation: 'bubblewrap' });
    await forkCheckpoint(box.spec.folder, 1, fork.spec.folder, 1 << 30);
    expect((await fork.run('kept', { k: 2 })).reply.result?.text['text/plain']?.text).toBe('1');
    const folder = join(fork.spec.folder, 'checkpoint', 'segments');
    const bytes = () => Buffer.concat(readdirSync(folder).filter((name) => name.endsWith('.segment')).sort().map((name) => readFileSync(join(folder, name))));
    const before = bytes();
    expect(await box.value('sum(os.pwrite(fd, b"altered", 0) for fd in held) > 0')).toBe('True');
    expect(bytes().equals(before)).toBe(true);
    for (const { spec } of [box, fork]) await rig.kernels.end(spec);
  });

  it('runs it nowhere when it is forked, told of, reaped or rolled back', async () => {
    const to = join(rig.root, `fork-of-${box.spec.id}`);
    expect(await forkCheckpoint(box.spec.folder, 1, to, 1 << 30)).toEqual({ head: 1 });
    expect(existsSync(inside(to))).toBe(false);
    neverRan();

    // The folder that `show` and a trace read of.
    const folder = new SessionStore(join(rig.root, `store-of-${box.spec.id}`)).session('s');
    folder.chain.commit('k0', record({ kind: 'execute', args: { target: 'cell', call: 'c', code: null }, refs: { kernel: { manifest: 0, saved: 'local' } } }), 0);
    await forkCheckpoint(box.spec.folder, 1, folder.sandbox, 1 << 30);
    expect(readKeptState(folder)).toMatchObject({ head: 1 });
    expect(traceLines(folder)).toHaveLength(1);
    expect(existsSync(inside(folder.sandbox))).toBe(false);
    neverRan();

    expect((await reapSandboxes([box.spec.folder], () => false)).ended).toEqual([]);
    neverRan();
    await rollBack(box.spec.folder, 1, 'bubblewrap');
    expect(readdirSync(checkpoint('manifests')).filter((name) => name.endsWith('.manifest'))).toHaveLength(1);
    neverRan();
  });

  it('runs it nowhere when it is shipped, told of and fetched', async () => {
    const store = new FolderCheckpoints(rig.folder(`elsewhere-${box.spec.id}`), 'process');
    await store.init();
    const sandbox = { session: box.spec.id, cells: 2, recordOf: (k: number) => sha256(`record ${k}`), diskBytes: box.spec.limits.diskBytes };
    expect(await shipCheckpoint(store, { ...sandbox, folder: box.spec.folder, codeShaOf: () => undefined })).toBe(1);
    neverRan();
    expect(await remoteHead(store, sandbox)).toBe(1);
    const folder = join(rig.root, `fetched-${box.spec.id}`);
    expect(await refillCheckpoint(store, { ...sandbox, folder })).toBe(1);
    expect(existsSync(inside(folder))).toBe(false);
    neverRan();
  });

  it('runs it nowhere when its state is refused and the cells run again', async () => {
    for (const name of readdirSync(checkpoint('segments')).filter((each) => each.endsWith('.segment'))) {
      const bytes = readFileSync(checkpoint('segments', name));
      bytes[bytes.length >> 1]! ^= 1;
      rmSync(checkpoint('segments', name));
      writeFileSync(checkpoint('segments', name), bytes);
    }
    const again: number[] = [];
    const { reply } = await box.run('kept, bomb', { past: () => ({ code: 'bomb = "another past"', timeoutMs: 30_000 }), onCaughtUp: (k) => void again.push(k) });
    expect(reply.result?.text['text/plain']?.text).toBe("(1, 'another past')");
    expect(again).toEqual([1]);
    neverRan();
  });
});
