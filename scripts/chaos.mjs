#!/usr/bin/env node
/**
 * Sessions under random messages and deaths, as often as asked for:
 *
 *   node scripts/chaos.mjs [--runs N] [--seed S]
 *
 * --runs N  how many runs, 10 when missing; each has its own seed, which it prints
 * --seed S  seed of the first run; the run after it has the next number
 *
 * The exit code is 1 when a message had no effect or several.
 */
import { spawnSync } from 'node:child_process';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const { values } = parseArgs({ options: { runs: { type: 'string', default: '10' }, seed: { type: 'string', default: String(Date.now() % 1_000_000) } } });
for (const [name, value] of Object.entries(values)) {
  if (/^\d{1,9}$/.test(value) && Number(value) > 0) continue;
  console.error(`--${name} is ${value}: give a whole number from 1.`);
  process.exit(64);
}
const { status } = spawnSync(process.execPath, [join(root, 'scripts/test.mjs'), 'chaos'], { stdio: 'inherit', cwd: root, env: { ...process.env, NL2CODE_CHAOS_RUNS: values.runs, NL2CODE_CHAOS_SEED: values.seed } });
process.exit(status ?? 1);
