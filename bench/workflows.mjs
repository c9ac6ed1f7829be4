// What the bench compares: the product's workflow, and a bare one of as many activities and as many history bytes.
import { continueAsNew, proxyActivities } from '@temporalio/workflow';
export { nl2codeWorkflow } from '../dist/workflow.js';

const { bare } = proxyActivities({ heartbeatTimeout: '5s', startToCloseTimeout: '15m', cancellationType: 'TRY_CANCEL', retry: { initialInterval: '1s', maximumInterval: '60s', maximumAttempts: 12 } });

/** `steps` activities in a row; `pad` bytes of argument each; a new run every `perRun`. */
export async function bareWorkflow({ steps, pad, perRun, done = 0 }) {
  const padding = 'x'.repeat(pad);
  for (let i = 0; done < steps; i += 1) {
    if (i >= perRun) await continueAsNew({ steps, pad, perRun, done });
    await bare(padding);
    done += 1;
  }
  return done;
}
