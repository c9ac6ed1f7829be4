// One of several processes that commit the same keys; prints which record it was told won.
import { SessionStore } from '../../dist/store/session-store.js';
const [root, me, keys] = process.argv.slice(2);
const { chain } = new SessionStore(root).session('race');
const spent = { promptTokens: 0, cachedTokens: 0, completionTokens: 0, calls: 0, lostCalls: 0, costUsd: 0 };
process.stdin.once('data', () => {
  const told = [];
  for (let i = 0; i < Number(keys); i += 1) {
    const key = String(i).padStart(64, '0');
    told.push(chain.commit(key, { v: 1, parent: null, seq: i, kind: 'code', args: null, facts: [], value: me, refs: {}, spent, startedAt: 1, ms: 1 }, i).record.value);
  }
  process.stdout.write(JSON.stringify(told));
  process.exit(0);
});
process.stdout.write('\n');
