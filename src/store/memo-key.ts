import { canonical } from '../session/canonical.js';
import type { Hash } from '../session/json.js';
import type { StepCall } from '../session/step.js';
import { sha256 } from './blobs.js';

/**
 * Everything that decides a step's result, and nothing else: the parent fixes the past; kind, ask, args and facts fix the step.
 * A request opens once, wherever the head is, so `open` is keyed by the request's id.
 */
export function memoKey(call: StepCall): Hash {
  if (call.kind === 'open') return sha256(canonical(['open', (call as StepCall<'open'>).args.request.id]));
  return sha256(canonical([call.parent, call.kind, call.ask ?? null, call.args, call.facts]));
}
