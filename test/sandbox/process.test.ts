import { spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProcessBackend } from '../../src/sandbox/process.js';
import { openStream } from '../../src/sandbox/process/connect.js';
import { processAlive, processStartTime, supervisorAlive } from '../../src/sandbox/process/run-state.js';
import { PROMISES, specProblem } from '../../src/sandbox/promises.js';
import { reapSandboxes, removeSandboxFolder } from '../../src/sandbox/reaper.js';
import { inNamespace, pidNamespace, PLACES, Rig } from './rig.js';

describe('the process backend', () => {
  let rig: Rig;
  beforeAll(() => {
    rig = new Rig();
  });
  afterAll(() => rig.close());

  it('fails closed where bubblewrap is not installed, and names the package', async () => {
    const without = createProcessBackend({ ...PLACES, bwrap: null });
    expect(await without.probe()).toMatchObject({
      available: false,
      detail: expect.stringContaining('install the package bubblewrap'),
    });
    const spec = rig.spec({ isolation: 'bubblewrap' });
    await expect(without.create(spec)).rejects.toMatchObject({
      code: 'sandbox-unavailable',
      message: expect.stringContaining('apt-get install bubblewrap'),
    });
    expect(existsSync(spec.folder)).toBe(false);
  });

  it('fails closed where bubblewrap is refused its namespaces, and says what to do', async () => {
    const refused = fake('echo "bwrap: setting up uid map: Permission denied" >&2; exit 1');
    expect(await createProcessBackend({ ...PLACES, bwrap: refused }).probe()).toMatchObject({
      available: false,
      detail: expect.stringMatching(/setting up uid map: Permission denied/),
    });
  });

  it('fails closed where bubblewrap isolates nothing', async () => {
    // Tells its own pid as the sandbox's and runs the command on the host, without the limits before it.
    const open = fake(
      `import json, os, sys
at = sys.argv.index('--args') + 1
options = os.read(int(sys.argv[at]), 1 << 20).decode().split('\\0')
info = int(options[options.index('--info-fd') + 1])
os.write(info, json.dumps({'child-pid': os.getpid()}).encode())
os.close(info)
command = sys.argv[sys.argv.index('/py/bin/python3'):]
os.execv('/usr/bin/python3', command)`,
      '/usr/bin/python3',
    );
    const probe = await createProcessBackend({ ...PLACES, bwrap: open }).probe();
    expect(probe.available).toBe(false);
    expect(probe.detail).toMatch(/does not hold: it should be one that .*has no network/);
  });

  it('says so when set-up has not been run', async () => {
    const probe = await createProcessBackend({ ...PLACES, runtimeDir: join(rig.root, 'nothing') }).probe();
    expect(probe).toMatchObject({ available: false, detail: expect.stringContaining('run npm run setup') });
  });

  it('keeps a promise for every way of isolating', () => {
    expect(Object.keys(PROMISES)).toEqual(['bubblewrap', 'none']);
    expect(rig.backend.promises).toBe(PROMISES.bubblewrap);
    expect(PROMISES.bubblewrap.network).toBe('none');
  });

  it.each([
    [{ id: '../x' }, 'sandbox id'],
    [{ folder: 'relative' }, 'absolute path'],
    [{ hashSeed: -1 }, 'hashSeed is -1'],
    [{ leaseMs: 0 }, 'leaseMs is 0'],
    [{ mounts: [{ from: '/usr', at: '/workspace/x' }] }, 'Nothing can be mounted at /workspace/x'],
    [{ mounts: [{ from: '/usr', at: '/proc' }] }, 'Nothing can be mounted at /proc'],
  ])('refuses the spec %j before anything starts', async (wrong, message) => {
    const spec = { ...rig.spec({ isolation: 'bubblewrap' }), ...wrong };
    expect(specProblem(spec)).toContain(message);
    await expect(rig.backend.create(spec)).rejects.toThrow(message);
  });

  it('refuses an input whose name would leave its folder', async () => {
    const spec = rig.spec({ isolation: 'bubblewrap', inputs: [{ name: '../escape', path: '/etc/hostname' }] });
    await expect(rig.backend.create(spec)).rejects.toThrow('is not a file name');
  });

  it('speaks to no other socket of the host that stands in place of a sandbox', async () => {
    const real = rig.sandbox({ isolation: 'bubblewrap' });
    await real.value('1');
    const folder = join(rig.root, 'lured');
    mkdirSync(join(folder, 'run'), { recursive: true });
    symlinkSync(join(real.spec.folder, 'run', 's.sock'), join(folder, 'run', 's.sock'));
    await expect(openStream(folder)).rejects.toMatchObject({ code: 'sandbox-lost' });
    writeFileSync(join(rig.folder('lured-too/run'), 's.sock'), '');
    await expect(openStream(join(rig.root, 'lured-too'))).rejects.toMatchObject({ code: 'sandbox-lost' });
  });

  it('reaps what nobody owns and leaves alone what somebody does', async () => {
    const [owned, orphan, dead] = [
      rig.sandbox({ isolation: 'bubblewrap' }),
      rig.sandbox({ isolation: 'bubblewrap' }),
      rig.sandbox({ isolation: 'bubblewrap' }),
    ];
    for (const sandbox of [owned, orphan, dead]) await sandbox.value('1');
    process.kill(dead.state().pid, 'SIGKILL');
    const namespace = pidNamespace(orphan.state().childPid!);
    while (supervisorAlive(dead.state())) await new Promise((resolve) => setTimeout(resolve, 5));
    const folders = [owned, orphan, dead].map(({ spec }) => spec.folder);
    expect(
      await reapSandboxes([...folders, join(rig.root, 'none')], (folder) => folder !== orphan.spec.folder),
    ).toEqual({ ended: [orphan.spec.folder], stale: [dead.spec.folder] });
    expect(inNamespace(namespace)).toEqual([]);
    expect(readdirSync(join(dead.spec.folder, 'run'))).not.toContain('s.sock');
    expect(await owned.value('2')).toBe('2');
    await removeSandboxFolder(owned.spec.folder);
    expect(existsSync(owned.spec.folder)).toBe(false);
  });

  it('signals no process that its state file does not rightly name', async () => {
    const sandbox = rig.sandbox({ isolation: 'bubblewrap' });
    await sandbox.value('1');
    const victim = spawn('sleep', ['60']);
    const run = rig.folder('forged/run');
    // The sandbox's uid owns the folder, so a process that got out could write the file.
    if (process.getuid?.() === 0) chownSync(run, sandbox.state().uid, sandbox.state().uid);
    const startTime = process.getuid?.() === 0 ? processStartTime(victim.pid!) : 1;
    const forged = { ...sandbox.state(), pid: victim.pid, startTime, childPid: victim.pid, childStartTime: startTime };
    writeFileSync(join(run, 'state.json'), JSON.stringify(forged));
    await rig.backend.destroy({ backend: 'process', id: 'forged', folder: join(rig.root, 'forged') });
    expect(processAlive({ pid: victim.pid!, startTime: null })).toBe(true);
    victim.kill();
    expect(await sandbox.value('2')).toBe('2');
  });

  let fakes = 0;
  function fake(script: string, interpreter = '/bin/sh'): string {
    const path = join(rig.folder('fakes'), `bwrap-${++fakes}`);
    writeFileSync(path, `#!${interpreter}\n${script}\n`);
    chmodSync(path, 0o755);
    chmodSync(rig.root, 0o755);
    return path;
  }
});
