import { expect, inject, test } from 'vitest';
import { decided } from '../rig/decided.js';
import { startInProcess, toEnd } from '../rig/in-process.js';
import { quickWorld } from '../rig/quick-world.mjs';

/** Cells of a session of two hundred steps: two steps each, and six around them. */
const CELLS = 97;

test('a session of two hundred steps that goes over two runs and more decides what the same session in one run does', async () => {
  // A window that is too small for it, so that shortening what is old is a part of the session.
  const rig = await startInProcess(inject('temporalAddress'), { contextTokens: 16_000, world: quickWorld });
  try {
    const run = async (stepsPerRun: number) => {
      const { session } = await rig.client.start({ prompt: `Please take ${CELLS} cells.`, strategy: 'react', approval: 'never', limits: { stepsPerRun }, budget: { maxSteps: 300 } });
      const { result } = await toEnd(rig, session);
      const { chain } = rig.store.at(session);
      let runs = 1;
      for (let runId = (await rig.temporal.workflow.getHandle(session).describe()).raw.workflowExecutionInfo!.firstRunId; ; runs += 1) {
        const { events } = await rig.temporal.workflow.getHandle(session, runId!).fetchHistory();
        runId = events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
        if (!runId) break;
      }
      // The opening names the limits.
      return { runs, result, decided: decided(chain.walk(chain.head())).slice(1) };
    };
    const [one, three, many] = [await run(1000), await run(75), await run(10)];
    expect([one.runs, three.runs]).toEqual([1, 3]);
    expect(many.runs).toBeGreaterThan(15);
    expect(one.result).toMatchObject({ status: 'verified', steps: 200, script: expect.stringContaining('def main()') as string });
    for (const other of [three, many]) {
      expect(other.decided).toEqual(one.decided);
      expect(other.result!.script).toBe(one.result!.script);
    }
  } finally {
    await rig.close();
  }
}, 120_000);
