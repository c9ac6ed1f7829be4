import { expect, test } from 'vitest';
import { runKernelChaos } from '../rig/kernel-chaos/kernel-chaos.js';
import { missed, reportText } from '../rig/kernel-chaos/report-text.js';

const RUNS = Number(process.env.NL2CODE_CHAOS_RUNS ?? 10);
const SEED = Number(process.env.NL2CODE_CHAOS_SEED ?? 1);

test(`${RUNS} sessions whose kernel, sandbox, worker, server and tools are killed equal those that nobody disturbed`, async () => {
  const report = await runKernelChaos({ seed: SEED, sessions: RUNS, cells: 64, atOnce: 6 });
  console.log(reportText(report, SEED));
  expect(report.differences).toEqual([]);
  // A hundred runs hit every point twenty times.
  expect(missed(report, Math.floor(RUNS / 5))).toEqual([]);
}, RUNS * 120_000);
