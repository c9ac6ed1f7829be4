#!/usr/bin/env node
/**
 * Sets up what is missing, then runs checks by group, in this order, all of them unless some are named:
 *
 *   node scripts/test.mjs [lint types guest unit integration resilience replay package] [--repeat N]
 *
 * --repeat N  runs each named group N times, to find what fails now and then
 *
 * Prints a line per group and, last, the sum: `N passed, N failed`. A tool (a linter, a type checker) counts as one check. The exit
 * code is 1 when anything failed, when a group has no tests, and with CI set when anything was skipped.
 */
import { spawnSync } from 'node:child_process';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { groups } from './test/groups.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

const { values, positionals } = parseArgs({ allowPositionals: true, options: { repeat: { type: 'string', default: '1' } } });
const names = positionals.length > 0 ? positionals : Object.keys(groups).filter((name) => !groups[name].onlyByName);
const unknown = names.find((name) => groups[name] === undefined);
const repeat = Number(values.repeat);
if (unknown !== undefined || !Number.isInteger(repeat) || repeat < 1) {
  console.error(unknown !== undefined ? `There is no group ${unknown}: choose from ${Object.keys(groups).join(', ')}.` : `--repeat is ${values.repeat}: give a whole number from 1.`);
  process.exit(64);
}

const ready = spawnSync(process.execPath, [join(root, 'scripts/setup.mjs'), '--dev'], { stdio: 'inherit', cwd: root });
if (ready.status !== 0) process.exit(1);

const isCi = !['', '0', 'false', undefined].includes(process.env.CI);
const sum = { passed: 0, failed: 0, skipped: 0 };
const lines = [];
for (const name of names) {
  for (let round = 1; round <= repeat; round += 1) {
    const label = repeat === 1 ? name : `${name} ${round}/${repeat}`;
    console.log(`\n── ${label} ${'─'.repeat(Math.max(0, 60 - label.length))}`);
    const started = performance.now();
    const counts = groups[name].run(root);
    if (counts.passed + counts.failed === 0) {
      console.log(`${name} has no tests`);
      counts.failed = 1;
    }
    for (const key of Object.keys(sum)) sum[key] += counts[key];
    const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
    lines.push(`${label.padEnd(16)} ${`${counts.passed} passed, ${counts.failed} failed${skipped}`.padEnd(40)} ${((performance.now() - started) / 1000).toFixed(1)} s`);
    console.log(lines.at(-1));
  }
}

console.log(`\n${lines.join('\n')}`);
const skippedInCi = isCi && sum.skipped > 0;
if (sum.skipped > 0) console.log(`${sum.skipped} skipped${isCi ? ', which fails in CI' : ''}`);
console.log(`${sum.passed} passed, ${sum.failed} failed`);
process.exit(sum.failed > 0 || skippedInCi ? 1 : 0);
