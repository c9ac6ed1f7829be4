import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKernels } from '../../src/kernel/kernels.js';
import { forkCheckpoint } from '../../src/sandbox/fork-checkpoint.js';
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

  it('ends with its supervisor, and the same folder starts again with its variables and files', async () => {
    const sandbox = rig.sandbox({ isolation });
    expect(await sandbox.value('x = [1]\nopen("kept", "w").write("a")')).toBe('1');
    const left = witness(sandbox);
    process.kill(sandbox.state().pid, 'SIGKILL');
    await eventually(() => left().length === 0, 'every process is gone');
    const { reply, saved } = await sandbox.run('x, open("kept").read()');
    expect(reply).toMatchObject({ ended: 'ok', restored: { head: 0, lost: [], unproved: [], notes: [] } });
    expect(reply.result?.text['text/plain']?.text).toBe("([1], 'a')");
    expect(saved).toBe('local');
    await rig.kernels.end(sandbox.spec);
  });

  it('has the variables and files of a session that waited longer than its lease', async () => {
    const sandbox = rig.sandbox({ isolation, leaseMs: 400 });
    await sandbox.value('import random\nrows = {"a": [1, 2]}\nalso = rows["a"]\nopen("kept", "w").write("a")\ndrawn = random.random()');
    const next = await sandbox.value('state = random.getstate(); random.random()');
    await sandbox.value('random.setstate(state)');
    rig.kernels.release(sandbox.spec.folder);
    await eventually(() => sandbox.state().endedBecause !== null, 'its lease is over');
    // What the host places while nobody is there stays, as a script that a follow-up goes on from does.
    writeFileSync(join(sandbox.spec.folder, 'workspace', 'placed.py'), 'placed');
    const events: string[] = [];
    const { reply } = await sandbox.run('also.append(3)\nrows, open("kept").read(), open("placed.py").read()', { onSandbox: (event) => events.push(event) });
    expect(reply.result?.text['text/plain']?.text).toBe("({'a': [1, 2, 3]}, 'a', 'placed')");
    expect(await sandbox.value('random.random()')).toBe(next);
    expect(events).toEqual(['started']);
    await rig.kernels.end(sandbox.spec);
  });

  it('runs cells again whose saved state is gone, and takes back what was run beside the chain', async () => {
    const sandbox = rig.sandbox({ isolation });
    const cells = ['open("log", "a").write("0")\na = 1', 'open("log", "a").write("1")\nb = a + 1', 'open("log", "a").write("2")\nc = b + 1'];
    for (const code of cells) await sandbox.value(code);
    const past = (k: number) => ({ code: cells[k]!, timeoutMs: 30_000 });
    const manifests = join(sandbox.spec.folder, 'checkpoint', 'manifests');
    await rig.kernels.end(sandbox.spec);
    writeFileSync(join(manifests, readdirSync(manifests).sort().at(-1)!), 'cut');
    const again: number[] = [];
    const { reply } = await sandbox.run('a, b, c, open("log").read()', { k: 3, past, onCaughtUp: (k) => void again.push(k) });
    expect(reply.result?.text['text/plain']?.text).toBe("(1, 2, 3, '012')");
    expect(again).toEqual([2]);

    await rig.kernels.end(sandbox.spec);
    rmSync(join(sandbox.spec.folder, 'checkpoint'), { recursive: true });
    const all = [...cells, 'd = 4'];
    expect((await sandbox.run('open("log").read(), d', { k: 4, past: (k) => ({ code: all[k]!, timeoutMs: 30_000 }) })).reply.result?.text['text/plain']?.text).toBe("('012', 4)");

    // The chain holds another cell 2: what stopped steps ran is taken back.
    const other = await sandbox.run('open("log").read(), "c" in globals()', { k: 2, past });
    expect(other.reply.result?.text['text/plain']?.text).toBe("('01', False)");
    await rig.kernels.end(sandbox.spec);
  });

  it('can be forked at a cell: the same past, and from there each for itself', async () => {
    const parent = rig.sandbox({ isolation });
    await parent.value('import random\nrows = [1]\nopen("kept", "w").write("one")');
    await parent.value('rows.append(2)\nopen("kept", "w").write("two")');
    await parent.value('rows.append(3)\nopen("kept", "w").write("three")');
    const twin = rig.sandbox({ isolation });
    const second = rig.sandbox({ isolation });
    expect(await forkCheckpoint(parent.spec.folder, 1, twin.spec.folder, 1 << 30)).toEqual({ head: 1 });
    await forkCheckpoint(parent.spec.folder, 1, second.spec.folder, 1 << 30);
    const here = async (sandbox: Sandboxed, k: number) => (await sandbox.run('rows.append(9)\nrows, open("kept").read(), hash("a"), random.random()', { k })).reply.result?.text['text/plain']?.text ?? '';
    const [told, again, ofParent] = [await here(twin, 2), await here(second, 2), await here(parent, 3)];
    const parts = (text: string) => /^\((\[.*\]), '(\w+)', (-?\d+), ([\d.]+)\)$/.exec(text)!.slice(1);
    expect(parts(told).slice(0, 2)).toEqual(['[1, 2, 9]', 'two']);
    expect(parts(ofParent).slice(0, 2)).toEqual(['[1, 2, 3, 9]', 'three']);
    // One hash seed, but random numbers that nobody seeded are each one's own.
    expect(new Set([told, again, ofParent].map((text) => parts(text)[2])).size).toBe(1);
    expect(new Set([told, again, ofParent].map((text) => parts(text)[3])).size).toBe(3);
    await parent.value('rows.clear()\nopen("kept", "w").write("gone")');
    await rig.kernels.end(twin.spec);
    expect((await twin.run('rows, open("kept").read()', { k: 3 })).reply.result?.text['text/plain']?.text).toBe("([1, 2, 9], 'two')");
    for (const { spec } of [parent, twin, second]) await rig.kernels.end(spec);
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
    // Nothing of it was committed, and nothing of it is in the way of what is asked next.
    expect((await sandbox.run('"signal" in globals()', { k: 0 })).reply.result?.text['text/plain']?.text).toBe('False');
    expect((await sandbox.run(stubborn, { timeoutMs: 300 })).reply).toMatchObject({ ended: 'kernel-died' });
    expect(await sandbox.value('1 + 1')).toBe('2');
  });

  it('runs a cell from the state before it when its sandbox is killed under it: its effects are there once', async () => {
    const sandbox = rig.sandbox({ isolation });
    const events: string[] = [];
    await sandbox.value('open("log", "a").write("before\\n")\nn = 1');
    let kills = 0;
    const { reply, again } = await sandbox.run('open("log", "a").write("once\\n")\nn += 1\nprint("on", flush=True)\nimport time; time.sleep(1)\nn', {
      onSandbox: (event) => events.push(event),
      onOutput: () => kills++ === 0 && process.kill(sandbox.state().childPid!, 'SIGKILL'),
    });
    expect(reply).toMatchObject({ ended: 'ok', restored: { head: 0, lost: [] } });
    expect(reply.result?.text['text/plain']?.text).toBe('2');
    expect(again).toHaveLength(1);
    expect(events).toEqual(['lost', 'started']);
    expect(readFileSync(join(sandbox.spec.folder, 'workspace', 'log'), 'utf8')).toBe('before\nonce\n');
  });

  it('gives up a cell that kills its kernel, or its sandbox, three times, and goes on from the state before it', async () => {
    const sandbox = rig.sandbox({ isolation });
    await sandbox.value('n = 1\nopen("log", "w").write("before")');
    const died: string[] = [];
    const poison = await sandbox.run('n = 2\nopen("log", "a").write("+")\nimport os; os.abort()', { onAgain: ({ run }) => died.push(`run ${run}`) });
    expect(poison.reply.ended).toBe('kernel-died');
    expect(poison.reply.error?.message).toMatch(/SIGABRT.*3 times.*from the state before this cell/);
    expect(died).toEqual(['run 2', 'run 3']);
    expect(await sandbox.value('n, open("log").read()')).toBe("(1, 'before')");
    const lost = await sandbox.run('n = 3\nprint("on", flush=True)\nimport time; time.sleep(60)', { onOutput: () => process.kill(sandbox.state().childPid!, 'SIGKILL') });
    expect(lost.reply.ended).toBe('kernel-died');
    expect(await sandbox.value('n, open("log").read()')).toBe("(1, 'before')");
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
