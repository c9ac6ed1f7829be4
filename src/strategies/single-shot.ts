import type { StepIO } from '../session/step.js';
import { finish } from './finish.js';
import { endings } from './silence.js';
import { looksAtInputs, type Strategy } from './strategy.js';

type State = { stage: 'look' | 'write'; left: number };

/** The call of a one-reply answer that holds the script, or why there is none. */
export function onlyScript({ calls, ended }: StepIO['code']['value']): { id: string; code: { hash: string } } | { problem: string } {
  const submitted = calls.find((call) => call.code);
  if (submitted) return { id: submitted.id, code: { hash: submitted.code! } };
  const problem = calls.find((call) => call.problem)?.problem ?? 'the reply held no script';
  return { problem: ended ? `${problem.replace(/\.$/, '')}. It ${endings[ended]}.` : problem };
}

/** Exactly one model call, verified. It repairs only when the request allows repairs. */
export const singleShot: Strategy<State> = {
  start: (request) => ({ stage: looksAtInputs(request) ? 'look' : 'write', left: request.limits.maxRepairs }),

  async turn(state, steps) {
    if (state.stage === 'look') {
      await steps.inspect();
      return { state: { ...state, stage: 'write' } };
    }
    const submitted = onlyScript(await steps.code('single-shot'));
    if ('problem' in submitted) return { outcome: { status: 'failed', reason: submitted.problem } };
    const end = await finish(steps, submitted.id, submitted.code, { left: state.left, review: null });
    return typeof end === 'object' ? { outcome: end } : { state: { ...state, left: state.left - 1 } };
  },
};
