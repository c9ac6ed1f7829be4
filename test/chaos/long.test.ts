import { expect, test } from 'vitest';
import { runKernelChaos } from '../rig/kernel-chaos/kernel-chaos.js';
import { reportText } from '../rig/kernel-chaos/report-text.js';

const RUNS = Number(process.env.NL2CODE_CHAOS_RUNS ?? 1);
const SEED = Number(process.env.NL2CODE_CHAOS_SEED ?? 1);
const CELLS = 1_000;

test(`${RUNS} sessions of ${CELLS} cells with twenty kills and more equal those that nobody disturbed`, async () => {
  const report = await runKernelChaos({ seed: SEED, sessions: RUNS, cells: CELLS, atOnce: 1, rounds: 4 });
  console.log(reportText(report, SEED));
  expect(report.differences).toEqual([]);
  expect(report.perSession.length).toBe(RUNS);
  expect(Math.min(...report.perSession)).toBeGreaterThanOrEqual(20);
}, RUNS * 1_200_000);
