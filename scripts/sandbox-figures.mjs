// Prints how quick sandboxes are on this machine. Needs `npm run build`; measures no isolation but bubblewrap.
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createKernels } from '../dist/kernel/kernels.js';
import { createProcessBackend } from '../dist/sandbox/process.js';

const repository = fileURLToPath(new URL('..', import.meta.url));
const root = realpathSync(mkdtempSync(join(tmpdir(), 'nl2code-figures-')));
const backend = createProcessBackend({
  runtimeDir: join(repository, '.runtime'),
  guestDir: join(repository, 'guest'),
  pool: 1,
  poolDir: join(root, 'pool'),
});
const kernels = createKernels({ backend });
const signal = new AbortController().signal;
const specs = [];

function spec(warm, exactSeed) {
  const id = `figures-${specs.length}`;
  const made = {
    id,
    folder: join(root, id),
    inputs: [],
    mounts: [],
    pythonPath: [],
    isolation: 'bubblewrap',
    limits: { memoryBytes: 1 << 30, diskBytes: 1 << 30, processes: 256, cpus: 2 },
    hashSeed: 1,
    exactSeed,
    leaseMs: 60_000,
    durability: 'process',
    warm,
  };
  specs.push(made);
  return made;
}

async function cell(where, k, code) {
  const began = performance.now();
  const { reply } = await kernels.runCell(
    where,
    { session: 'figures', k, code, epoch: [1, 1], timeoutMs: 60_000, maxOutputChars: 1000 },
    { signal },
  );
  if (reply.ended !== 'ok') throw new Error(`${code}: ${reply.ended} ${reply.error?.message}`);
  return performance.now() - began;
}

const middle = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const show = (what, values) =>
  console.log(
    `${what.padEnd(48)} ${middle(values).toFixed(2)} ms  [${Math.min(...values).toFixed(2)} .. ${Math.max(...values).toFixed(2)}]  n=${values.length}`,
  );

async function repeat(times, run) {
  const values = [];
  for (let n = 0; n < times; n++) values.push(await run());
  return values;
}

async function once(warm, code, ready) {
  const where = spec(warm, !ready);
  if (ready) {
    await backend.warm(where);
    await new Promise((resolve) => setTimeout(resolve, 3000));
  }
  const ms = await cell(where, 0, code);
  await kernels.end(where);
  return ms;
}

try {
  const began = performance.now();
  const { detail } = await backend.probe();
  console.log(`${detail} (asked in ${(performance.now() - began).toFixed(0)} ms)`);
  await once('bare', '1');
  show('cold sandbox, nothing imported: first 1+1', await repeat(10, () => once('bare', '1 + 1')));
  show(
    'cold sandbox: first pandas cell',
    await repeat(5, () => once('data', 'import pandas as pd\npd.DataFrame({"a": [1]})')),
  );
  show('warm pool, everything imported: first 1+1', await repeat(5, () => once('all', '1 + 1', true)));
  show(
    'warm pool, everything imported: first pandas cell',
    await repeat(5, () => once('all', 'import pandas as pd\npd.DataFrame({"a": [1]})', true)),
  );
  const where = spec('bare');
  let k = 0;
  await repeat(50, () => cell(where, k++, '1'));
  show('trivial cell, round trip at the host', await repeat(1000, () => cell(where, k++, '1')));
} finally {
  for (const where of specs) await kernels.end(where);
  await kernels.close();
  await backend.close();
  rmSync(root, { recursive: true, force: true });
}
