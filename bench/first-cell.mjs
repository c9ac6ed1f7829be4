// How long a person waits for a kernel: first cell of a warm and of a cold sandbox, and a trivial round trip. Commits nothing to disk by
// fsync. Measures the host's side of the stream, neither Temporal nor a model.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createKernels } from '../dist/kernel/kernels.js';
import { createProcessBackend } from '../dist/sandbox/process.js';
import { median, quantile, range } from './figures.mjs';

const GIB = 2 ** 30;
const SHAPE = { mounts: [], pythonPath: [], isolation: 'bubblewrap', limits: { memoryBytes: 2 * GIB, diskBytes: 2 * GIB, processes: 256, cpus: 2 }, warm: 'all' };
/** A sandbox kept ready has done its imports by then. */
const IMPORTS_MS = 5_000;

export async function firstCellBench({ runtimeDir, guestDir, warmRuns = 10, coldRuns = 10, trips = 1000 }) {
  const root = mkdtempSync(join(tmpdir(), 'nl2code-bench-'));
  const backend = createProcessBackend({ runtimeDir, guestDir, pool: 1, poolDir: join(root, 'pool') });
  const cold = createProcessBackend({ runtimeDir, guestDir });
  let n = 0;
  const spec = (shape) => ({ ...shape, id: `s-${n}`, folder: join(root, `s-${n++}`, 'sandbox'), inputs: [], hashSeed: 1, leaseMs: 60_000, durability: 'process' });
  const cell = async (kernels, where, k, code) => {
    const began = performance.now();
    const { reply } = await kernels.runCell(where, { session: 'bench', k, code, epoch: [1, 1], timeoutMs: 60_000, maxOutputChars: 10_000 }, { signal: new AbortController().signal });
    if (reply.ended !== 'ok') throw new Error(`the cell ended as ${reply.ended}: ${reply.error?.message}`);
    return performance.now() - began;
  };
  try {
    const kernels = createKernels({ backend });
    const warm = { plain: [], pandas: [] };
    for (let i = 0; i < warmRuns; i += 1) {
      await backend.warm(SHAPE);
      await delay(IMPORTS_MS);
      const where = spec(SHAPE);
      warm.plain.push(await cell(kernels, where, 0, '1 + 1'));
      warm.pandas.push(await cell(kernels, where, 1, 'import pandas as pd; pd.DataFrame({"a": [1, 2]}).sum()'));
      await kernels.end(where);
    }
    await backend.close();
    const coldKernels = createKernels({ backend: cold });
    const first = { plain: [], pandas: [] };
    for (let i = 0; i < coldRuns; i += 1) {
      const bare = spec({ ...SHAPE, warm: 'bare' });
      first.plain.push(await cell(coldKernels, bare, 0, '1 + 1'));
      await coldKernels.end(bare);
      const data = spec({ ...SHAPE, warm: 'data' });
      first.pandas.push(await cell(coldKernels, data, 0, 'import pandas as pd; pd.DataFrame({"a": [1, 2]}).sum()'));
      await coldKernels.end(data);
    }
    const where = spec(SHAPE);
    const round = [];
    await cell(coldKernels, where, 0, '1');
    await delay(IMPORTS_MS);
    for (let k = 1; k <= trips; k += 1) round.push(await cell(coldKernels, where, k, '1'));
    await coldKernels.end(where);
    await coldKernels.close();
    await kernels.close();
    const figures = (values) => ({ p50: median(values), p95: quantile(values, 0.95), range: range(values), n: values.length });
    return {
      warmFirstCellMs: figures(warm.plain),
      warmFirstPandasCellMs: figures(warm.pandas),
      coldFirstCellMs: figures(first.plain),
      coldFirstPandasCellMs: figures(first.pandas),
      roundTripMs: figures(round),
    };
  } finally {
    await backend.close();
    await cold.close();
    rmSync(root, { recursive: true, force: true });
  }
}
