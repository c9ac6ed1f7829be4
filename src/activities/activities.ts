import { Context } from '@temporalio/activity';
import type { SentCall, StepCall, StepKind, StepReply } from '../session/step.js';
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
    'nl2code-open': receiving('open', createOpen(world)),
    'nl2code-plan': receiving('plan', ask<'plan'>),
    'nl2code-code': receiving('code', ask<'code'>),
    'nl2code-execute': receiving('execute', createExecute(world)),
    'nl2code-review': receiving('review', ask<'review'>),
    'nl2code-retry': receiving('retry', createRetry(world)),
    'nl2code-close': receiving('close', createClose(world)),
  };
}
export type StepActivities = ReturnType<typeof createActivities>;

/** Completes a call as it travelled: the session is the workflow's id, the kind is the activity's. */
function receiving<K extends StepKind>(kind: K, body: (call: StepCall<K>) => Promise<StepReply<K>>): (sent: SentCall<K>) => Promise<StepReply<K>> {
  return (sent) => body({ ...sent, session: Context.current().info.workflowExecution!.workflowId, kind });
}
