import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createProcessBackend } from '../../src/sandbox/process.js';
import { readRunState, supervisorAlive } from '../../src/sandbox/process/run-state.js';
import { eventually, PLACES, REPOSITORY, Rig } from './rig.js';

const slots = (folder: string) =>
  existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith('slot-')) : [];

describe('a pool of one warm sandbox', () => {
  let home: string;
  let rig: Rig;
  let poolDir: string;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'nl2code-pool-'));
    poolDir = join(home, 'pool');
    rig = new Rig({ pool: 1, poolDir });
  });
  afterEach(async () => {
    await rig.close();
    rmSync(home, { recursive: true, force: true });
  });

  it('is claimed by the next session of its shape, with its inputs, and is filled again', async () => {
    const input = join(rig.root, 'input');
    writeFileSync(input, 'a,b\n');
    const sandbox = rig.sandbox({ isolation: 'bubblewrap', inputs: [{ name: 'sales 2024.csv', path: input }] });
    await rig.backend.warm(sandbox.spec);
    const [slot] = slots(poolDir);
    const { childPid, hashSeed } = readRunState(join(poolDir, slot!))!;
    expect(await sandbox.value('open("sales 2024.csv").read()')).toBe("'a,b\\n'");
    expect(sandbox.state()).toMatchObject({ childPid, hashSeed });
    expect(slots(poolDir)).not.toContain(slot);
    await eventually(() => slots(poolDir).length === 1, 'the pool is filled again');
    await rig.kernels.end(sandbox.spec);
  });

  it('keeps the claimed sandbox its seed, its ledger and its files when it has to be started again', async () => {
    const sandbox = rig.sandbox({ isolation: 'bubblewrap' });
    await rig.backend.warm(sandbox.spec);
    const before = await sandbox.value('open("kept", "w").write("kept"); hash("nl2code")');
    const { uid, pid } = sandbox.state();
    await rig.kernels.end(sandbox.spec);
    expect(await sandbox.value('hash("nl2code")')).toBe(before);
    expect(await sandbox.value('open("kept").read()')).toBe("'kept'");
    expect(sandbox.state().uid).toBe(uid);
    expect(sandbox.state().pid).not.toBe(pid);
  });

  it('gives the claimed sandbox the lease of its session', async () => {
    const sandbox = rig.sandbox({ isolation: 'bubblewrap', leaseMs: 400 });
    await rig.backend.warm(sandbox.spec);
    await sandbox.value('1');
    rig.kernels.release(sandbox.spec.folder);
    await eventually(() => sandbox.state().endedBecause !== null, 'the lease is over', 5000);
    expect(sandbox.state().endedBecause).toBe('lease: no worker held a stream for 0.4 s');
  });

  it('serves one of two sessions that ask at once, and the other starts cold', async () => {
    const [one, two] = [rig.sandbox({ isolation: 'bubblewrap' }), rig.sandbox({ isolation: 'bubblewrap' })];
    await rig.backend.warm(one.spec);
    expect(await Promise.all([one.value('x = 1; x'), two.value('x = 2; x')])).toEqual(['1', '2']);
    expect(one.state().childPid).not.toBe(two.state().childPid);
  });

  it('is left alone by another shape, an exact seed and a folder that holds something', async () => {
    const fitting = rig.spec({ isolation: 'bubblewrap' });
    await rig.backend.warm(fitting);
    const slot = slots(poolDir)[0]!;
    const full = rig.spec({ isolation: 'bubblewrap' });
    mkdirSync(join(full.folder, 'workspace'), { recursive: true });
    await rig.backend.create(
      rig.spec({ isolation: 'bubblewrap', limits: { ...fitting.limits, memoryBytes: 512 << 20 } }),
    );
    await rig.backend.create(rig.spec({ isolation: 'bubblewrap', exactSeed: true }));
    await rig.backend.create(full);
    await rig.backend.create(rig.spec({ isolation: 'none' }));
    expect(slots(poolDir)).toContain(slot);
  });

  it('is ended when the backend closes', async () => {
    await rig.backend.warm(rig.spec({ isolation: 'bubblewrap' }));
    const state = readRunState(join(poolDir, slots(poolDir)[0]!))!;
    expect(supervisorAlive(state)).toBe(true);
    await rig.backend.close();
    expect(supervisorAlive(state)).toBe(false);
    expect(slots(poolDir)).toEqual([]);
  });

  it('ends by its lease when its worker was killed, and the next worker sweeps its folder and keeps the same shape ready', async () => {
    const spec = rig.spec({ isolation: 'bubblewrap' });
    const worker = spawn(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        WORKER,
        join(REPOSITORY, 'dist'),
        JSON.stringify({ ...PLACES, pool: 1, poolDir }),
        JSON.stringify(spec),
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await new Promise((resolve) => worker.stdout.once('data', resolve));
    const [slot] = slots(poolDir);
    const state = readRunState(join(poolDir, slot!))!;
    worker.kill('SIGKILL');
    await new Promise((resolve) => worker.once('exit', resolve));
    const next = createProcessBackend({ ...PLACES, pool: 1, poolDir });
    next.keepReady();
    await eventually(() => !supervisorAlive(state) && !slots(poolDir).includes(slot!), 'the slot is swept');
    await eventually(() => slots(poolDir).length === 1, 'another is ready');
    await next.close();
  });
});

const WORKER = `
const [folder, options, spec] = process.argv.slice(1);
const { createProcessBackend } = await import(folder + '/sandbox/process.js');
await createProcessBackend(JSON.parse(options)).warm(JSON.parse(spec));
console.log('ready');
setInterval(() => {}, 1000);
`;
