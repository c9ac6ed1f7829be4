import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PLACES, Rig } from './rig.js';

const CELLS = [
  'import random\nlog = ["0"]\nopen("log", "a").write("0")\nrandom.seed(3)',
  'kept = big = bytes(range(256)) * 4000\nlog.append("1")\nopen("log", "a").write("1")\ndrawn = random.random()',
  'log.append("2")\nopen("log", "a").write("2")\nbig = big[:-1]',
];
const LOOK = 'log, open("log").read(), len(big), kept[-1], round(drawn, 6), round(random.random(), 6)';

/** Changes the state of cell `k` in the checkpoint `sys.argv[1]` so that its seal holds. */
const rewrite = (k: number, change: string) => `
import json, os, sys
from nl2code_guest.checkpoint.manifests import read_manifest, write_manifest
folder = sys.argv[1] + '/manifests'
manifest = read_manifest(folder, ${k})
state = json.loads(manifest.state)
${change}
header = {name: value for name, value in manifest.header.items() if name not in ('attachments', 'stateBytes')}
write_manifest(folder, header, [], json.dumps(state).encode(), False)
# Else it could only not be read.
owner = os.stat(folder)
os.chown(folder + '/%08d.manifest' % ${k}, owner.st_uid, owner.st_gid)
`;

const damages: [what: string, again: number[], damage: (checkpoint: string) => void][] = [
  ['its newest manifest is cut', [2], (checkpoint) => change(newest(checkpoint), (bytes) => bytes.subarray(0, -20))],
  ['one byte of its newest manifest is another', [2], (checkpoint) => change(newest(checkpoint), flipped)],
  ['one byte of a manifest that others build on is another', [1, 2], (checkpoint) => change(join(checkpoint, 'manifests', '00000001.manifest'), flipped)],
  ['a segment is cut', [1, 2], (checkpoint) => change(ofVariables(checkpoint), (bytes) => bytes.subarray(0, 5000))],
  ['one byte of a segment is another', [1, 2], (checkpoint) => change(ofVariables(checkpoint), flipped)],
  ['a segment is empty', [1, 2], (checkpoint) => change(ofVariables(checkpoint), () => Buffer.alloc(0))],
  ['a segment is gone', [1, 2], (checkpoint) => rmSync(ofVariables(checkpoint))],
  ['another Python wrote its newest state', [2], (checkpoint) => python(checkpoint, rewrite(2, "state['versions'] = {'python': 'cpython 3.9'}"))],
  ['another Python wrote all of it', [0, 1, 2], (checkpoint) => python(checkpoint, rewrite(0, "state['versions']['python'] = 'cpython 3.9'"))],
  ['another version of a library wrote all of it', [0, 1, 2], (checkpoint) => python(checkpoint, rewrite(0, "state['versions']['package cloudpickle'] = '1.0'"))],
  ['nobody changed its newest state', [], (checkpoint) => python(checkpoint, rewrite(2, ''))],
  ['a release that is not known wrote its newest state', [2], (checkpoint) => python(checkpoint, rewrite(2, "state['format'] = 99"))],
];

const newest = (checkpoint: string): string => join(checkpoint, 'manifests', '00000002.manifest');

/** The segment in which a variable of cell 1 stands that the last cell has left alone. */
function ofVariables(checkpoint: string): string {
  const paths = readdirSync(join(checkpoint, 'segments')).filter((name) => /^1-.*\.segment$/.test(name)).map((name) => join(checkpoint, 'segments', name));
  return paths.sort((a, b) => statSync(a).size - statSync(b).size).at(-1)!;
}

function change(path: string, how: (bytes: Buffer) => Buffer): void {
  const bytes = how(readFileSync(path));
  // Another file, as a disk that is damaged meanwhile would not say when.
  rmSync(path);
  writeFileSync(path, bytes);
}

function flipped(bytes: Buffer): Buffer {
  bytes[Math.floor(bytes.length / 3)]! ^= 1;
  return bytes;
}

function python(checkpoint: string, code: string): void {
  const { status, stderr } = spawnSync(join(PLACES.runtimeDir, 'python/bin/python3'), ['-c', code, checkpoint], { encoding: 'utf8', cwd: PLACES.guestDir });
  expect(status, stderr).toBe(0);
}

describe('a session whose checkpoint is not what was written runs the cells since the last good state again, and nothing is wrong, when', () => {
  let rig: Rig;
  /** What an undisturbed session shows. */
  let seen: string;
  beforeAll(async () => {
    rig = new Rig();
    const twin = rig.sandbox({ isolation: 'bubblewrap' });
    for (const code of [...CELLS, LOOK]) seen = await twin.value(code);
    expect(seen).toMatch(/^\(\['0', '1', '2'\], '012', 1023999, 255, 0\.\d+, 0\.\d+\)$/);
  });
  afterAll(() => rig.close());

  it.each(damages)('%s', async (_what, again, damage) => {
    const box = rig.sandbox({ isolation: 'bubblewrap' });
    for (const code of CELLS) await box.value(code);
    await rig.kernels.end(box.spec);
    damage(join(box.spec.folder, 'checkpoint'));
    const ran: number[] = [];
    const { reply } = await box.run(LOOK, { past: (k) => ({ code: CELLS[k]!, timeoutMs: 30_000 }), onCaughtUp: (k) => void ran.push(k) });
    expect(reply.error?.message).toBeUndefined();
    expect(reply.result?.text['text/plain']?.text).toBe(seen);
    expect(ran).toEqual(again);
    await rig.kernels.end(box.spec);
  });

  it('nothing is damaged: none', async () => {
    const box = rig.sandbox({ isolation: 'bubblewrap' });
    for (const code of CELLS) await box.value(code);
    await rig.kernels.end(box.spec);
    const { reply } = await box.run(LOOK);
    expect(reply.result?.text['text/plain']?.text).toBe(seen);
    await rig.kernels.end(box.spec);
  });
});
