import { createAskModel } from './ask-model.js';
import { createClose } from './close.js';
import { createExecute } from './execute.js';
import { createOpen } from './open.js';
import { createRetry } from './retry.js';
import type { StepWorld } from './world.js';

/** The activities of the product by their name on the wire. */
export function createActivities(world: StepWorld) {
  const ask = createAskModel(world);
  return {
    'nl2code-open': createOpen(world),
    'nl2code-plan': ask<'plan'>,
    'nl2code-code': ask<'code'>,
    'nl2code-execute': createExecute(world),
    'nl2code-review': ask<'review'>,
    'nl2code-retry': createRetry(world),
    'nl2code-close': createClose(world),
  };
}
export type StepActivities = ReturnType<typeof createActivities>;
