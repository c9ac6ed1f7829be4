// A worker that asks the same calls as others do. `node caller.mjs ROOT IDEMPOTENCY CALLS [die-before|die-after]`: at a word it asks, and
// prints what it was told; with the last word it kills itself within its first effect.
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SessionStore } from '../../dist/store/session-store.js';
import { ToolBridge } from '../../dist/tools/tool-bridge.js';

const [root, idempotency, calls, die] = process.argv.slice(2);
const kill = async () => {
  process.kill(process.pid, 'SIGKILL');
  await delay(60_000);
};
const append = {
  name: 'append',
  description: 'Appends.',
  parameters: { type: 'object', properties: { text: { type: 'string' } } },
  idempotency,
  async run({ text }, { key }) {
    if (die === 'die-before') await kill();
    appendFileSync(join(root, 'effects'), `${key} ${text}\n`);
    if (die === 'die-after') await kill();
    await delay(5);
    return process.pid;
  },
};
const cell = new ToolBridge([append]).cell({ folder: new SessionStore(root).session('calls'), session: 'calls', allowed: ['append'] });
process.stdin.once('data', async () => {
  const told = [];
  for (let call = 0; call < Number(calls); call += 1) told.push(await cell.answer({ k: 7, call, name: 'append', args: { text: String(call) }, replay: false }));
  process.stdout.write(JSON.stringify(told));
  process.exit(0);
});
process.stdout.write('\n');
