// What the durable kernel costs and how soon it is back, beside ipykernel, dill, cloudpickle and the floor of the disk. Everything under
// durability `host`, at the host's side of the stream: what a worker waits. Measures neither Temporal nor a model.
import { execFileSync } from 'node:child_process';
import { closeSync, cpSync, existsSync, fdatasyncSync, fsyncSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { forkCheckpoint } from '../dist/sandbox/fork-checkpoint.js';
import { createKernels } from '../dist/kernel/kernels.js';
import { createProcessBackend } from '../dist/sandbox/process.js';
import { median, quantile, range } from './figures.mjs';

const GIB = 2 ** 30;
const SHAPE = { mounts: [], pythonPath: [], isolation: 'bubblewrap', limits: { memoryBytes: 8 * GIB, diskBytes: 24 * GIB, processes: 256, cpus: 2 }, warm: 'data', durability: 'host' };
const IMPORTS_MS = 4_000;
/** Time enough for a save in the background to be over before the next thing is measured. */
const SAVED_MS = 60_000;

export async function kernelBench({ runtimeDir, root, runs = 20 }) {
  const folder = mkdtempSync(join(tmpdir(), 'nl2code-bench-'));
  const backend = createProcessBackend({ runtimeDir, guestDir: join(root, 'guest') });
  const bench = new KernelBench(folder, backend, readFileSync(join(root, 'bench/kernel/frames.py'), 'utf8'));
  const note = (what) => process.stderr.write(`bench  ${what}\n`);
  try {
    note('the disk');
    const floor = fsyncFloor(folder);
    note('starts and small cells');
    const small = await bench.small(runs);
    note('ten frames of numbers, 1 GB');
    const num = await bench.large('num', runs, join(root, 'bench/kernel/cold.py'));
    note('ten mixed frames');
    const mixed = await bench.large('mixed', Math.max(5, Math.floor(runs / 4)), join(root, 'bench/kernel/cold.py'));
    note('500 cells, and 1,000');
    const growth = await bench.growth(500);
    const flat = await bench.flat(1000);
    note('the others');
    const rivals = { num: rival(runtimeDir, root, folder, 'num'), mixed: rival(runtimeDir, root, folder, 'mixed') };
    return { floor, small, num, mixed, growth, flat, rivals };
  } finally {
    await bench.close();
    await backend.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const figures = (values) => ({ p50: median(values), p95: quantile(values, 0.95), range: range(values), n: values.length });

/** What two synchronised writes, a rename and a synchronised folder cost on this disk: no commit can be quicker. */
function fsyncFloor(folder) {
  const body = Buffer.alloc(4096, 1);
  const times = [];
  for (let n = 0; n < 300; n += 1) {
    const began = performance.now();
    for (const name of ['segment', 'manifest']) {
      const fd = openSync(join(folder, `${name}.tmp`), 'w');
      writeSync(fd, body);
      fdatasyncSync(fd);
      closeSync(fd);
      renameSync(join(folder, `${name}.tmp`), join(folder, name));
    }
    const fd = openSync(folder, 'r');
    fsyncSync(fd);
    closeSync(fd);
    times.push(performance.now() - began);
  }
  return figures(times);
}

class KernelBench {
  constructor(folder, backend, frames) {
    this.folder = folder;
    this.frames = frames;
    this.backend = backend;
    this.kernels = createKernels({ backend });
    this.n = 0;
    this.specs = [];
  }

  spec(shape = SHAPE) {
    const n = this.n++;
    const spec = { ...shape, id: `bench-${process.pid}-${n}`, folder: join(this.folder, `s-${n}`, 'sandbox'), inputs: [], hashSeed: 1, leaseMs: 120_000 };
    this.specs.push(spec);
    return spec;
  }

  async cell(spec, k, code) {
    const began = performance.now();
    const { reply } = await this.kernels.runCell(spec, { session: 'bench', k, code, epoch: [1, 1], timeoutMs: 120_000, maxOutputChars: 10_000 }, { signal: new AbortController().signal });
    if (reply.ended !== 'ok' || reply.unsaved) throw new Error(`cell ${k} ended as ${reply.ended}: ${reply.error?.message ?? reply.unsaved}`);
    const ms = performance.now() - began;
    return { ms, text: reply.result?.text['text/plain']?.text ?? '', restoredMs: reply.restored?.ms ?? 0 };
  }

  async small(runs) {
    const start = [];
    for (let n = 0; n < 10; n += 1) {
      const bare = this.spec({ ...SHAPE, warm: 'bare' });
      start.push((await this.cell(bare, 0, '1 + 1')).ms);
      await this.kernels.end(bare);
    }
    const spec = this.spec();
    await this.cell(spec, 0, 'import pandas as pd');
    await delay(IMPORTS_MS);
    const trips = [];
    for (let k = 1; k <= 15 * runs; k += 1) trips.push((await this.cell(spec, k, `x = ${k}`)).ms);
    await this.kernels.end(spec);
    return { start: figures(start), committedCell: figures(trips) };
  }

  /** Everything that is measured on one gigabyte. */
  async large(kind, runs, cold) {
    const spec = this.spec();
    let k = 0;
    const run = async (code) => this.cell(spec, k++, code);
    /** All that was told is on disk. */
    const settled = async () => {
      const until = performance.now() + SAVED_MS;
      while (!existsSync(join(spec.folder, 'checkpoint', 'manifests')) || this.head(spec) < k - 1) {
        if (performance.now() > until) throw new Error('a save did not end');
        await delay(20);
      }
    };
    const ready = async () => {
      const where = this.spec({ ...SHAPE, warm: 'data' });
      return where;
    };
    await run(`${this.frames}\nimport time`);
    await delay(IMPORTS_MS);
    const first = performance.now();
    await run(`for number, frame in enumerate(make(${JSON.stringify(kind)})):\n    globals()[f"f{number}"] = frame\ndel frame`);
    await settled();
    const firstCommitMs = performance.now() - first;
    const [column, read, pause, meanwhile, durable] = [[], [], [], [], []];
    for (let n = 0; n < runs; n += 1) {
      column.push((await run(`f${n % 10}["c0"] *= 1.01`)).ms);
      await settled();
      read.push((await run(`f${n % 10}["c1"].sum()`)).ms);
      await settled();
    }
    for (let n = 0; n < Math.max(3, Math.floor(runs / 4)); n += 1) {
      const began = performance.now();
      await run(`for frame in (${Array.from({ length: 10 }, (_, i) => `f${i}`).join(', ')}):\n    for name in [c for c in frame.columns if c.startswith("c")]:\n        frame[name] = frame[name] + 1.0\ndel frame\nended = time.monotonic()`);
      // From the end of the last statement to the begin of the next cell: the pause, and one round trip.
      const next = await run('time.monotonic() - ended');
      pause.push(1000 * Number(next.text));
      // Its reply: whether it waits for the child that still saves what came before.
      meanwhile.push(next.ms);
      await settled();
      durable.push(performance.now() - began);
    }
    const first_number = 'float(f3["c0"].iloc[0])';
    const kernelLost = [];
    for (let n = 0; n < runs; n += 1) {
      await settled();
      process.kill(this.kernelPid(spec), 'SIGKILL');
      kernelLost.push((await run(first_number)).ms);
    }
    const sandboxLost = [];
    const lose = async () => {
      await settled();
      await this.kernels.end(spec);
    };
    for (let n = 0; n < runs; n += 1) {
      await lose();
      sandboxLost.push((await run(first_number)).ms);
    }
    const coldCache = [];
    for (let n = 0; n < 5; n += 1) {
      await lose();
      execFileSync('python3', [cold, join(spec.folder, 'checkpoint')]);
      coldCache.push((await run(first_number)).ms);
    }
    await lose();
    const [fork, forkedFolder, forkRestored] = [[], [], []];
    for (let n = 0; n < runs; n += 1) {
      const at = 2 + ((n * 7) % (k - 3));
      const twin = await ready();
      const began = performance.now();
      await forkCheckpoint(spec.folder, at, twin.folder);
      forkedFolder.push(performance.now() - began);
      forkRestored.push((await this.cell(twin, at + 1, first_number)).restoredMs);
      fork.push(performance.now() - began);
      await this.kernels.end(twin);
      rmSync(twin.folder, { recursive: true, force: true });
    }
    await this.kernels.end(spec);
    const bytes = sizeOf(join(spec.folder, 'checkpoint'));
    rmSync(spec.folder, { recursive: true, force: true });
    return { firstCommitMs, column: figures(column), read: figures(read), pause: figures(pause), meanwhile: figures(meanwhile), durable: figures(durable), kernelLost: figures(kernelLost), sandboxLost: figures(sandboxLost), coldCache: figures(coldCache), fork: figures(fork), forkedFolder: figures(forkedFolder), forkRestored: figures(forkRestored), storeBytes: bytes };
  }

  /** Store bytes over the bytes of what changed, pickled by itself. */
  async growth(cells) {
    const spec = this.spec();
    let changed = 0;
    await this.cell(spec, 0, 'import pickle\nimport numpy as np\nrng = np.random.default_rng(1)\nlog = []');
    for (let k = 1; k <= cells; k += 1) {
      const name = `a${k % 20}`;
      const code = `${name} = rng.random(8192)\nlog.append(${k})\nlen(pickle.dumps((${name}, log, rng.bit_generator.state), 5))`;
      changed += Number((await this.cell(spec, k, code)).text);
    }
    await this.kernels.end(spec);
    const bytes = sizeOf(join(spec.folder, 'checkpoint', 'segments')) + sizeOf(join(spec.folder, 'checkpoint', 'manifests'));
    return { cells, storeBytes: bytes, changedBytes: changed, ratio: bytes / changed };
  }

  /** A cell's cost while the session grows, in hundreds of cells. */
  async flat(cells) {
    const spec = this.spec();
    await this.cell(spec, 0, 'import numpy as np');
    await delay(IMPORTS_MS);
    const hundreds = [];
    for (let k = 1; k <= cells; k += 1) {
      const at = Math.floor((k - 1) / 100);
      (hundreds[at] ??= []).push((await this.cell(spec, k, `v${k} = [${k}]\nw${k} = {"n": v${k}}`)).ms);
    }
    await this.kernels.end(spec);
    const [first, last] = [figures(hundreds[0]), figures(hundreds.at(-1))];
    return { cells, variables: 2 * cells, p50ByHundred: hundreds.map(median), first, last, ratio: last.p50 / first.p50 };
  }

  head(spec) {
    return Math.max(-1, ...readdirSync(join(spec.folder, 'checkpoint', 'manifests')).map((name) => Number(/^(\d+)/.exec(name)?.[1] ?? -1)).filter((n) => !Number.isNaN(n)));
  }

  /** The youngest child of the first process is the kernel. */
  kernelPid(spec) {
    const { childPid } = JSON.parse(readFileSync(join(spec.folder, 'run', 'state.json'), 'utf8'));
    const children = readFileSync(`/proc/${childPid}/task/${childPid}/children`, 'utf8').trim().split(' ').map(Number);
    return children.at(-1);
  }

  async close() {
    for (const spec of this.specs) await this.kernels.end(spec);
    await this.kernels.close();
  }
}

function sizeOf(folder) {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    bytes += entry.isDirectory() ? sizeOf(path) : statSync(path).size;
  }
  return bytes;
}

/** Python of its own with what the others need; made once. */
function rival(runtimeDir, root, folder, kind) {
  const home = join(runtimeDir, 'bench-python');
  const list = join(root, 'bench/kernel/requirements.txt');
  const python = join(home, 'bin', 'python3');
  const kept = join(home, 'requirements.txt');
  if (!existsSync(kept) || readFileSync(kept, 'utf8') !== readFileSync(list, 'utf8')) {
    execFileSync(realPython(runtimeDir), ['-m', 'venv', home], { stdio: ['ignore', 'ignore', 'inherit'] });
    execFileSync(python, ['-m', 'pip', 'install', '-q', '--disable-pip-version-check', '-r', list], { stdio: ['ignore', 'ignore', 'inherit'] });
    cpSync(list, kept);
  }
  const scratch = join(folder, 'rivals');
  mkdirSync(scratch, { recursive: true });
  const site = join(runtimeDir, 'python', 'lib', readdirSync(join(runtimeDir, 'python', 'lib'))[0], 'site-packages');
  return JSON.parse(execFileSync(python, [join(root, 'bench/kernel/rivals.py'), scratch, kind], { env: { PATH: process.env.PATH, HOME: scratch, PYTHONPATH: site, PYDEVD_DISABLE_FILE_VALIDATION: '1' }, stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8', maxBuffer: 1 << 24 }).trim().split('\n').at(-1));
}

/** The interpreter that set-up found, outside its environment. */
function realPython(runtimeDir) {
  const home = /^home = (.+)$/m.exec(readFileSync(join(runtimeDir, 'python', 'pyvenv.cfg'), 'utf8'))[1];
  return join(home, 'python3');
}
