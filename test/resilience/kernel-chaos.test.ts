import { expect, test } from 'vitest';
import { runKernelChaos } from '../rig/kernel-chaos/kernel-chaos.js';
import { mutant, type Breakage } from '../rig/kernel-chaos/mutant.js';
import { reportText } from '../rig/kernel-chaos/report-text.js';

const SEED = 7;

test('sessions whose kernel, sandbox, worker, server and tools are killed equal those that nobody disturbed', async () => {
  const report = await runKernelChaos({ seed: SEED, sessions: 3, cells: 60, atOnce: 3, first: 3 });
  console.log(reportText(report, SEED));
  expect(report.differences).toEqual([]);
  expect(Math.min(...report.perSession)).toBeGreaterThanOrEqual(3);
  expect(Math.max(...report.midCommit)).toBeGreaterThanOrEqual(1);
});

const BROKEN: [string, Breakage[], RegExp][] = [
  [
    'the memo of tool calls',
    [
      { file: 'dist/store/tool-memo.js', find: 'answered(place) {', put: 'answered(place) {\n        return undefined;' },
      { file: 'dist/store/tool-memo.js', find: 'begun(place) {', put: 'begun(place) {\n        return undefined;' },
      { file: 'dist/store/tool-memo.js', find: 'return this.put(`${named(place)}.begun-${begun.attempt}`, begun);', put: 'return true;' },
      { file: 'dist/store/tool-memo.js', find: 'uncertain(k) {', put: 'uncertain(k) {\n        return [];' },
      { file: 'dist/tools/tool-bridge.js', find: 'tools.key(cell.session, request)', put: '`${Math.random()}`.padEnd(48, "0")' },
    ],
    /effects \[/,
  ],
  ["the ledger's word that a cell had begun", [{ file: 'guest/nl2code_guest/ledger.py', find: '    def exact(self) -> bool:\n', put: '    def exact(self) -> bool:\n        return False\n' }], /cell \d+/],
];

test.each(BROKEN)('without %s the same kills are seen as differences', async (_what, breakages, seen) => {
  const { root, remove } = mutant(breakages);
  try {
    const { differences } = await runKernelChaos({ seed: SEED, sessions: 1, cells: 40, atOnce: 1, first: 3, root });
    expect(differences.join('\n')).toMatch(seen);
  } finally {
    remove();
  }
});
