// One of several processes that commit the same keys; prints which record it was told won.
import { SessionStore } from '../../dist/store/session-store.js';
const [root, me, keys, first] = process.argv.slice(2);
const { chain } = new SessionStore(root).session('race');
const spent = { promptTokens: 0, cachedTokens: 0, completionTokens: 0, calls: 0, lostCalls: 0, costUsd: 0 };
const told = [];
const commit = (i) => {
  const key = String(i).padStart(64, '0');
  told[i] = chain.commit(key, { v: 1, parent: null, seq: i, kind: 'code', args: null, facts: [], value: me, refs: {}, spent, startedAt: 1, ms: 1 }, i).record.value;
};
// First one key of its own, so that everybody wins something; then, at a second word, all of them at once.
process.stdin.once('data', async () => {
  commit(Number(first));
  process.stdin.once('data', async () => {
    for (let n = 0; n < Number(keys); n += 1) commit((Number(first) + n) % Number(keys));
    process.stdout.write(JSON.stringify(told));
    process.exit(0);
  });
  process.stdout.write('\n');
});
process.stdout.write('\n');
