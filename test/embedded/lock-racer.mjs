/** Takes the lock of the folder in argv again and again: says `held`, waits to be killed or told to release, watches for a second holder. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { acquireHostLock } from '../../dist/embedded/host-lock.js';
import { isAlive } from '../../dist/embedded/process-identity.js';

const folder = process.argv[2];
const witness = join(folder, 'witness.json');
const told = () => new Promise((resolve) => process.stdin.once('data', resolve));

function seen() {
  try {
    return JSON.parse(readFileSync(witness, 'utf8'));
  } catch {
    return null;
  }
}

function sign(value) {
  writeFileSync(`${witness}.${process.pid}`, JSON.stringify(value));
  renameSync(`${witness}.${process.pid}`, witness);
}

for (;;) {
  const taken = acquireHostLock(folder);
  if ('heldBy' in taken) {
    await delay(Math.random() * 2);
    continue;
  }
  const before = seen();
  if (before !== null && isAlive(before)) process.stdout.write(`violation: ${before.pid} holds it too\n`);
  sign(taken.lock.owner);
  const order = told();
  process.stdout.write('held\n');
  await order;
  if (seen()?.pid !== process.pid) process.stdout.write('violation: somebody signed meanwhile\n');
  sign(null);
  taken.lock.release();
  await delay(Math.random() * 2);
}
