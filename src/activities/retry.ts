import type { Json } from '../session/json.js';
import type { StepCall } from '../session/step.js';
import { reviewOf } from '../prompts/replies.js';
import type { ModelReply } from '../model/endpoint.js';
import { observationOf, requestOf } from './past.js';
import { step } from './step.js';
import type { StepWorld } from './world.js';

/** Looks at what failed and decides: repair, hand over to a stronger strategy, or give up with the reason. Rules, not a model call; never Temporal's retry. */
export function createRetry(world: StepWorld) {
  return (call: StepCall<'retry'>) =>
    step(world, call, async ({ folder, past }) => {
      const { since } = requestOf(past);
      const seen = since.map((link) => observationOf(folder, link)).findLast((observation) => observation?.kind === 'verification');
      const findings = seen?.kind === 'verification' ? seen.findings : [];
      const last = since.at(-1)?.record;
      const review = last?.kind === 'review' && last.refs.reply ? reviewOf(JSON.parse(folder.blobs.text(last.refs.reply)) as ModelReply) : undefined;
      const broken = findings.find((finding) => finding.code === 'check-broken');
      const reason = findings.length > 0 ? findings.map((finding) => finding.message).join(' ') : review?.summary || 'The review did not accept the script.';
      const next = broken ? 'give-up' : call.args.left > 0 ? 'repair' : call.args.escalate ? 'escalate' : 'give-up';
      return { value: { next, reason: reason.slice(0, 1000) } as Json };
    });
}
