import { expect, test } from 'vitest';
import { Processes } from '../rig/processes.js';
import { RandomMoments } from '../rig/random-moments.js';

const runs = Number(process.env.NL2CODE_CHAOS_RUNS ?? 1);
const first = Number(process.env.NL2CODE_CHAOS_SEED ?? 1);

test.each(Array.from({ length: runs }, (_, i) => first + i))('messages at random moments have one effect each, seed %i', async (seed) => {
  const rig = await new Processes({}, 20).start(2);
  try {
    const report = await new RandomMoments(rig, seed).run(25, 5);
    process.stdout.write(`${JSON.stringify(report)}\n`);
    expect(report.messages).toBeGreaterThan(200);
  } finally {
    await rig.stop();
  }
});
