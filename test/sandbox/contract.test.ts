import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKernels } from '../../src/kernel/kernels.js';
import { createProcessBackend } from '../../src/sandbox/process.js';
import { processAlive, readRunState } from '../../src/sandbox/process/run-state.js';
import type { Isolation } from '../../src/session/request.js';
import { eventually, inNamespace, pidNamespace, PLACES, REPOSITORY, Rig, touching, type Sandboxed } from './rig.js';

describe.each<Isolation>(['bubblewrap', 'none'])('a sandbox of the process backend, isolation %s', (isolation) => {
  let rig: Rig;
  beforeAll(() => {
    rig = new Rig({ isolation });
  });
  afterAll(() => rig.close(), 60_000);

  /** What is left of a sandbox, by its pid namespace where it has one, else by its folder. */
  const witness = (sandbox: Sandboxed) => {
    const { childPid, pid } = sandbox.state();
    const namespace = isolation === 'bubblewrap' ? pidNamespace(childPid!) : null;
    return () => [
      ...(namespace ? inNamespace(namespace) : touching(sandbox.spec.folder)),
      ...(processAlive({ pid, startTime: null }) ? [pid] : []),
    ];
  };

  it('works on this machine and says what it is', async () => {
    expect(await rig.backend.probe()).toMatchObject({ available: true, isolation });
  });

  it('adopts a sandbox that is alive, also when two ask at once from two backends', async () => {
    const spec = rig.spec({ isolation });
    const other = createProcessBackend({ ...PLACES, isolation });
    const refs = await Promise.all([
      rig.backend.create(spec),
      rig.backend.create(spec),
      other.create(spec),
      other.create(spec),
    ]);
    expect(refs.filter((ref) => !ref.adopted)).toHaveLength(1);
    const first = readRunState(spec.folder)!;
    expect(await rig.backend.create(spec)).toMatchObject({ adopted: true, id: spec.id });
    expect(readRunState(spec.folder)).toMatchObject({ pid: first.pid, childPid: first.childPid });
  });

  it('outlives a creator that is killed mid-cell, and the next process collects the result', async () => {
    const sandbox = rig.sandbox({ isolation });
    const cell = {
      session: 's',
      k: 0,
      code: 'import time\nopen("log", "a").write("once\\n")\ntime.sleep(2)\n"done"',
      timeoutMs: 30_000,
      maxOutputChars: 1000,
    };
    const creator = spawn(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        CREATOR,
        join(REPOSITORY, 'dist'),
        JSON.stringify({ spec: sandbox.spec, cell: { ...cell, epoch: [1, 1] }, places: PLACES }),
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await eventually(() => existsSync(join(sandbox.spec.folder, 'workspace', 'log')), 'the cell began');
    const exited = new Promise((resolve) => creator.once('exit', (_code, signal) => resolve(signal)));
    creator.kill('SIGKILL');
    expect(await exited).toBe('SIGKILL');
    const events: string[] = [];
    const { reply } = await sandbox.run(cell.code, { k: 0, epoch: [1, 2], onSandbox: (event) => events.push(event) });
    expect(reply.ended).toBe('ok');
    expect(reply.result?.text['text/plain']?.text).toBe("'done'");
    expect(events).toEqual(['adopted']);
    expect(readFileSync(join(sandbox.spec.folder, 'workspace', 'log'), 'utf8')).toBe('once\n');
  });

  it('ends by itself when nobody has held a stream for the lease, daemons and all', async () => {
    const sandbox = rig.sandbox({ isolation, leaseMs: 700 });
    await sandbox.value(DAEMON);
    const left = witness(sandbox);
    expect(left().length).toBeGreaterThan(2);
    rig.kernels.release(sandbox.spec.folder);
    await eventually(() => left().length === 0, 'every process is gone');
    await eventually(() => sandbox.state().endedBecause !== null, 'the reason is written');
    expect(sandbox.state().endedBecause).toMatch(/^lease/);
    expect(readdirSync(join(sandbox.spec.folder, 'run'))).not.toContain('s.sock');
  });

  it('lives on past its lease while a stream is held', async () => {
    const sandbox = rig.sandbox({ isolation, leaseMs: 300 });
    const { pid } = (await sandbox.value('x = 1'), sandbox.state());
    expect(await sandbox.value('import time; time.sleep(1.2); x')).toBe('1');
    expect(sandbox.state()).toMatchObject({ pid, endedBecause: null });
  });

  it('ends with its folder', async () => {
    const sandbox = rig.sandbox({ isolation });
    await sandbox.value('1');
    const left = witness(sandbox);
    rmSync(sandbox.spec.folder, { recursive: true, force: true });
    await eventually(() => left().length === 0, 'every process is gone');
  });

  it('leaves no process, socket or control group when destroyed, also twice and when it is dead already', async () => {
    const sandbox = rig.sandbox({ isolation });
    await sandbox.value(DAEMON);
    const left = witness(sandbox);
    const { cgroups } = sandbox.state();
    await rig.kernels.end(sandbox.spec);
    expect(left()).toEqual([]);
    expect(cgroups.filter(existsSync)).toEqual([]);
    expect(existsSync(join(sandbox.spec.folder, 'run', 's.sock'))).toBe(false);
    await rig.kernels.end(sandbox.spec);
    await rig.kernels.end({ id: 'never', folder: join(rig.root, 'never') });
  });

  it('ends with its supervisor, and the same folder can start again', async () => {
    const sandbox = rig.sandbox({ isolation });
    expect(await sandbox.value('x = 1; 1')).toBe('1');
    const left = witness(sandbox);
    process.kill(sandbox.state().pid, 'SIGKILL');
    await eventually(() => left().length === 0, 'every process is gone');
    const { reply } = await sandbox.run('"x" in globals()');
    expect(reply).toMatchObject({ ended: 'ok', freshKernel: true });
    expect(reply.result?.text['text/plain']?.text).toBe('False');
    await rig.kernels.end(sandbox.spec);
  });

  it('shows inputs of any name read-only and links them by name in the workspace', async () => {
    const names = [
      'plain.csv',
      'two words.csv',
      'it\'s "quoted".csv',
      'line\nbreak.csv',
      'größe-数据-😀.csv',
      '-rf',
      '$(touch x)',
      '.hidden',
    ];
    const folder = rig.folder(`inputs-${isolation}`);
    const inputs = names.map((name, n) => ({ name, path: join(folder, String(n)) }));
    for (const { name, path } of inputs) writeFileSync(path, name);
    chmodSync(inputs[0]!.path, 0o600);
    const sandbox = rig.sandbox({ isolation, inputs });
    const { reply } = await sandbox.run(
      'import os, json\ninputs = os.environ["NL2CODE_INPUTS"]\nprint(json.dumps([[n, open(n).read(), open(os.path.join(inputs, n)).read()] for n in os.listdir(".")]))',
    );
    const seen = JSON.parse(reply.stdout.text) as string[][];
    expect(new Map(seen.map(([name, here, there]) => [name, [here, there]]))).toEqual(
      new Map(names.map((name) => [name, [name, name]])),
    );
    if (isolation === 'bubblewrap') {
      const refused = await sandbox.run('open("plain.csv", "w")');
      expect(refused.reply.error?.type).toMatch(/OSError|PermissionError/);
      expect(await sandbox.value('os.path.realpath("plain.csv")')).toBe("'/inputs/plain.csv'");
    }
    expect(readFileSync(inputs[0]!.path, 'utf8')).toBe('plain.csv');
  });

  it('shows an input that a follow-up brings in a sandbox that is alive', async () => {
    const path = join(rig.folder(`late-${isolation}`), 'late');
    writeFileSync(path, 'late news');
    const sandbox = rig.sandbox({ isolation });
    await sandbox.value('1');
    rig.kernels.release(sandbox.spec.folder);
    sandbox.spec.inputs = [{ name: 'late.txt', path }];
    expect(await sandbox.value('open("late.txt").read()')).toBe("'late news'");
  });

  it('puts mounted folders on the path, and nothing can be written to them under isolation', async () => {
    const library = rig.folder(`library-${isolation}`);
    mkdirSync(join(library, 'lib'));
    writeFileSync(join(library, 'lib', 'house_style.py'), 'ANSWER = 42\n');
    const sandbox = rig.sandbox({ isolation, mounts: [{ from: library, at: '/pack' }], pythonPath: ['/pack/lib'] });
    expect(await sandbox.value('import house_style; house_style.ANSWER')).toBe('42');
    if (isolation === 'none') return;
    expect((await sandbox.run('open("/pack/lib/house_style.py", "a")')).reply.error?.type).toMatch(
      /OSError|PermissionError/,
    );
  });

  it('keeps its hash seed when it is started again', async () => {
    const sandbox = rig.sandbox({ isolation, hashSeed: 12345 });
    const before = await sandbox.value('hash("nl2code")');
    await rig.kernels.end(sandbox.spec);
    sandbox.spec.hashSeed = 54321;
    expect(await sandbox.value('hash("nl2code")')).toBe(before);
  });

  it('works in a folder whose socket path is longer than an address', async () => {
    const id = 'long';
    const sandbox = rig.sandbox({
      isolation,
      id,
      folder: join(rig.root, `a folder with a "name" ${'x'.repeat(100)}`, 'y'.repeat(100)),
    });
    expect(await sandbox.value('6 * 7')).toBe('42');
  });

  it('holds its memory limit: the cell is told, the next one works', async () => {
    const sandbox = rig.sandbox({
      isolation,
      limits: { memoryBytes: 300 << 20, diskBytes: 64 << 20, processes: 256, cpus: 2 },
    });
    await sandbox.value('1');
    const { reply } = await sandbox.run(
      'import time\nblocks = []\nwhile True:\n    blocks.append(bytearray(b"x" * (16 << 20)))\n    time.sleep(0.02)',
    );
    expect(reply.ended).toMatch(/kernel-died|error/);
    expect(reply.error?.message).toMatch(reply.ended === 'kernel-died' ? /memory limit of 300 MiB/ : /memory/i);
    expect(await sandbox.value('1 + 1')).toBe('2');
  });

  it('holds its disk limit: the cell is told, the next one works and may clean up', async () => {
    const sandbox = rig.sandbox({
      isolation,
      limits: { memoryBytes: 1 << 30, diskBytes: 24 << 20, processes: 256, cpus: 2 },
    });
    const one = await sandbox.run('with open("big", "wb") as f:\n    f.truncate(25 << 20)');
    expect(one.reply.error?.type).toBe('OSError');
    const many = await sandbox.run(
      'import os, time\nfor n in range(10**6):\n    with open(f"part-{n}", "wb") as f: f.write(os.urandom(1 << 20))\n    time.sleep(0.01)',
    );
    expect(many.reply.ended).toBe('kernel-died');
    expect(many.reply.error?.message).toMatch(/disk limit of 24 MiB/);
    expect(
      await sandbox.value(
        'import os\n[os.unlink(n) for n in os.listdir() if n.startswith("part-")]\nlen(os.listdir())',
      ),
    ).toBe('1');
    expect(await sandbox.value('open("part-0", "wb").write(b"x" * 1000)')).toBe('1000');
  });

  it('can be stopped from outside: an interrupted cell keeps the kernel', async () => {
    const sandbox = rig.sandbox({ isolation });
    await sandbox.value('x = 5');
    const abort = new AbortController();
    const began = performance.now();
    const { reply } = await sandbox.run('print("on", flush=True)\nwhile True: pass', {
      signal: abort.signal,
      onOutput: () => abort.abort(new Error('stop')),
    });
    expect(reply.ended).toBe('interrupted');
    expect(performance.now() - began).toBeLessThan(5000);
    expect(await sandbox.value('x')).toBe('5');
  });

  it('is ended when a cell does not stop on an abort, and the session goes on', async () => {
    const sandbox = rig.sandbox({ isolation });
    const abort = new AbortController();
    const stubborn =
      'import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint("on", flush=True)\nwhile True: pass';
    await expect(
      sandbox.run(stubborn, { signal: abort.signal, onOutput: () => abort.abort(new Error('stop now')) }),
    ).rejects.toThrow('stop now');
    expect((await sandbox.run(stubborn, { k: 0 })).reply.ended).toBe('kernel-died');
    expect(await sandbox.value('1 + 1')).toBe('2');
  });

  it('never runs a cell twice when its sandbox is killed under it', async () => {
    const sandbox = rig.sandbox({ isolation });
    const events: string[] = [];
    const running = sandbox.run(
      'open("log", "a").write("once\\n")\nprint("on", flush=True)\nimport time; time.sleep(60)',
      {
        onSandbox: (event) => events.push(event),
        onOutput: () => process.kill(sandbox.state().childPid!, 'SIGKILL'),
      },
    );
    expect((await running).reply.ended).toBe('kernel-died');
    expect(events).toEqual(['started', 'lost', 'started']);
    expect(readFileSync(join(sandbox.spec.folder, 'workspace', 'log'), 'utf8')).toBe('once\n');
    expect(await sandbox.value('1 + 1')).toBe('2');
  });

  it('fences an attempt that a later one has overtaken', async () => {
    const sandbox = rig.sandbox({ isolation });
    const later = createKernels({ backend: rig.backend });
    const code = 'open("began", "w").close()\nimport time; time.sleep(1.5); 7';
    const earlier = sandbox
      .run(code, { k: 0, epoch: [1, 1], onSandbox: () => undefined })
      .catch((error: unknown) => error);
    await eventually(() => existsSync(join(sandbox.spec.folder, 'workspace', 'began')), 'the cell began');
    const { reply } = await later.runCell(
      sandbox.spec,
      { session: 's', k: 0, code, epoch: [2, 1], timeoutMs: 9000, maxOutputChars: 100 },
      { signal: new AbortController().signal },
    );
    expect(reply.result?.text['text/plain']?.text).toBe('7');
    expect(await earlier).toMatchObject({ code: 'fenced' });
    await later.close();
  });
});

const DAEMON = `
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
time.sleep(0.2)
1`;

const CREATOR = `
const [folder, given] = process.argv.slice(1);
const { spec, cell, places } = JSON.parse(given);
const { createProcessBackend } = await import(folder + '/sandbox/process.js');
const { createKernels } = await import(folder + '/kernel/kernels.js');
const kernels = createKernels({ backend: createProcessBackend({ ...places, isolation: spec.isolation }) });
await kernels.runCell(spec, cell, { signal: new AbortController().signal });
`;
