import { finish } from './finish.js';
import type { Strategy } from './strategy.js';

type State = { stage: 'look' | 'write'; left: number };

/** Exactly one model call, verified. It repairs only when the request allows repairs. */
export const singleShot: Strategy<State> = {
  start: (request) => ({ stage: 'look', left: request.limits.maxRepairs }),

  async turn(state, steps) {
    if (state.stage === 'look') {
      await steps.inspect();
      return { state: { ...state, stage: 'write' } };
    }
    const { calls } = await steps.code('single-shot');
    const submitted = calls.find((call) => call.code);
    if (!submitted) {
      return { outcome: { status: 'failed', reason: calls.find((call) => call.problem)?.problem ?? 'the reply held no script' } };
    }
    const end = await finish(steps, submitted.id, { hash: submitted.code! }, { left: state.left, review: null });
    return end === 'repair' ? { state: { ...state, left: state.left - 1 } } : { outcome: end };
  },
};
