#!/usr/bin/env node
/**
 * Kills everything that a session runs on, as often as asked for:
 *
 *   node scripts/chaos.mjs [kernel | long | messages] [--runs N] [--seed S]
 *
 * kernel    sessions of 64 cells whose kernel, sandbox, worker, server and tools are killed, against the same cells undisturbed
 * long      sessions of 1,000 cells with at least twenty such kills, against the same cells undisturbed
 * messages  sessions that get decisions, follow-ups and stops at random moments while workers are killed
 * --runs N  how many, 10 when missing; each has its own seed, which it prints
 * --seed S  seed of the first; the one after it has the next number
 *
 * The exit code is 1 when something was lost, doubled or different, or when a kind of kill was not reached.
 */
import { spawnSync } from 'node:child_process';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const { values, positionals } = parseArgs({ allowPositionals: true, options: { runs: { type: 'string', default: '10' }, seed: { type: 'string', default: String(Date.now() % 1_000_000) } } });
for (const [name, value] of Object.entries(values)) {
  if (/^\d{1,9}$/.test(value) && Number(value) > 0) continue;
  console.error(`--${name} is ${value}: give a whole number from 1.`);
  process.exit(64);
}
const FILES = { kernel: 'kernel', long: 'long', messages: 'random-moments' };
const file = FILES[positionals[0] ?? 'kernel'];
if (file === undefined || positionals.length > 1) {
  console.error(`${positionals.join(' ')} is none of ${Object.keys(FILES).join(', ')}.`);
  process.exit(64);
}
const { status } = spawnSync(process.execPath, [join(root, 'scripts/test.mjs'), 'chaos'], { stdio: 'inherit', cwd: root, env: { ...process.env, NL2CODE_CHAOS: file, NL2CODE_CHAOS_RUNS: values.runs, NL2CODE_CHAOS_SEED: values.seed } });
process.exit(status ?? 1);
