import { expect, test } from 'vitest';
import { Processes } from '../rig/processes.js';
import { RandomMoments } from '../rig/random-moments.js';

test('stops, follow-ups and decisions have one effect each, whenever they come: also when a run hands over, and while workers are dead', async () => {
  const rig = await new Processes({}, 15).start(2);
  try {
    const report = await new RandomMoments(rig, Number(process.env.NL2CODE_CHAOS_SEED ?? Date.now() % 1_000_000)).run(6, 2);
    console.log(JSON.stringify(report));
    expect(report.messages).toBeGreaterThanOrEqual(50);
    expect(report.duringDeath).toBeGreaterThan(5);
    expect(report.atBoundary).toBeGreaterThan(2);
  } finally {
    await rig.stop();
  }
}, 300_000);
