// `npm run bench -- step | tokens | kernel`: prints a table for people and writes bench/results/<name>.json.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync, readFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { findTemporalExecutable } from '../dist/embedded/temporal-executable.js';
import { prepareTemporalServer } from '../dist/embedded/temporal-server.js';
import { firstCellBench } from './first-cell.mjs';
import { kernelBench } from './kernel.mjs';
import { kernelTable } from './kernel-table.mjs';
import { stepBench } from './step.mjs';
import { tokensBench } from './tokens.mjs';
import { tokensTable } from './tokens-table.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const runtimeDir = join(root, '.runtime');
const TARGETS = { ratioProcess: 1.15, ratioHost: 1.45, bytesPerPair: 2600, warmFirstCellMs: 15, coldFirstPandasCellMs: 400, roundTripMs: 0.5 };
const ms = (value) => `${value.toFixed(value < 10 ? 2 : 1)} ms`;

async function step() {
  const firstCell = await firstCellBench({ runtimeDir, guestDir: join(root, 'guest') });
  const byDurability = {};
  for (const durability of ['process', 'host']) byDurability[durability] = await withServer(durability, (address) => stepBench({ address, durability }));
  const result = {
    ...about('step'),
    settings: 'embedded server: WAL, synchronous=1 (process) or 2 (host), transferProcessorMaxPollRPS=1000, eager activities, workflowIdReuseMinimalInterval=0s',
    targets: TARGETS,
    ...byDurability,
    firstCell,
  };
  table(result);
  write(result, 'it measures no model and no real Python work');
}

async function tokens() {
  const result = {
    ...about('tokens'),
    settings: 'scripted model, bubblewrap sandboxes, marketing pack, seed 42, no approval; tokens at 4 characters each; cached share: the longest prefix that an earlier request of the session had sent, by characters',
    ...(await withServer('process', (address) => tokensBench({ address, root }))),
  };
  tokensTable(result);
  write(result, "it measures the lengths of written conversations: no model's skill, no tokenizer, no time");
}

async function kernel() {
  const result = { ...about('kernel'), settings: 'bubblewrap sandboxes, durability host, zygote with numpy and pandas', ...(await kernelBench({ runtimeDir, root, runs: Number(process.env.NL2CODE_BENCH_RUNS ?? 20) })) };
  kernelTable(result);
  write(result, 'it measures one session on an otherwise idle machine, no power cut and no network');
}

async function withServer(durability, use) {
  const dataDir = mkdtempSync(join(tmpdir(), 'nl2code-bench-server-'));
  const server = await prepareTemporalServer({ executable: findTemporalExecutable(runtimeDir), dataDir, port: 0, uiPort: null, namespace: 'default', durability, onEvent() {} });
  await server.process.start();
  try {
    return await use(server.address);
  } finally {
    await server.process.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

function about(bench) {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return {
    bench,
    date: new Date().toISOString(),
    versions: { nl2code: version, node: process.version, temporalSdk: '1.24.0' },
    machine: { cpus: cpus().length, model: cpus()[0]?.model, memoryGiB: Math.round(totalmem() / 2 ** 30) },
  };
}

function table({ process: quick, host, firstCell, targets }) {
  const rows = [['', 'measured', 'target', 'range']];
  for (const [name, seen, target] of [['process', quick, targets.ratioProcess], ['host', host, targets.ratioHost]]) {
    rows.push([`step, durability ${name}`, ms(seen.msPerStep.ours), '', seen.range.ours.map(ms).join(' … ')]);
    rows.push([`  bare workflow, equal bytes`, ms(seen.msPerStep.bareEqualBytes), '', seen.range.bareEqualBytes.map(ms).join(' … ')]);
    rows.push([`  ratio, equal bytes`, seen.ratioEqualBytes.toFixed(2), `≤ ${target}`, seen.ratioRange.map((x) => x.toFixed(2)).join(' … ')]);
    rows.push([`  ratio, empty payloads`, seen.ratioEmpty.toFixed(2), '', '']);
  }
  for (const size of quick.history) rows.push([`history of ${size.steps} steps, ${size.runs} run(s)`, `${size.bytesPerPair} B per code + execute`, `≤ ${targets.bytesPerPair} B`, `${size.eventsPerActivity} events per step, largest run ${size.largest} B`]);
  rows.push(['first cell, warm sandbox', ms(firstCell.warmFirstCellMs.p50), `≤ ${targets.warmFirstCellMs} ms`, firstCell.warmFirstCellMs.range.map(ms).join(' … ')]);
  rows.push(['first pandas cell, cold sandbox', ms(firstCell.coldFirstPandasCellMs.p50), `≤ ${targets.coldFirstPandasCellMs} ms`, firstCell.coldFirstPandasCellMs.range.map(ms).join(' … ')]);
  rows.push(['first cell, cold sandbox', ms(firstCell.coldFirstCellMs.p50), '', firstCell.coldFirstCellMs.range.map(ms).join(' … ')]);
  rows.push(['trivial round trip, p50 of 1,000', ms(firstCell.roundTripMs.p50), `≤ ${targets.roundTripMs} ms`, `p95 ${ms(firstCell.roundTripMs.p95)}`]);
  for (const row of rows) console.log(`${row[0].padEnd(38)}${row[1].padEnd(28)}${row[2].padEnd(12)}${row[3]}`);
}

function write(result, not) {
  const folder = join(root, 'bench', 'results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${result.bench}.json`), `${JSON.stringify(result, null, 2)}\n`);
  console.log(`\nwritten bench/results/${result.bench}.json; ${not}`);
}

const benches = { step, tokens, kernel };
const name = process.argv[2];
if (!benches[name]) {
  console.error(`Name a bench: npm run bench -- ${Object.keys(benches).join(' | ')}`);
  process.exit(64);
}
Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' }, forward: {} } } });
await benches[name]();
process.exit(0);
