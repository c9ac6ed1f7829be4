import type { Json } from '../session/json.js';
import type { Call } from '../session/step.js';
import { finish } from './finish.js';
import type { Steps, Strategy, Turn } from './strategy.js';

type State = { stage: 'look' | 'work'; /** Replies without a call in a row. */ silent: number; left: number };

/** Looks at the inputs, plans, then writes cells in one persistent kernel until it submits a script. */
export const codeact: Strategy<State> = {
  start: (request) => ({ stage: 'look', silent: 0, left: request.limits.maxRepairs }),

  async turn(state, steps): Promise<Turn<State>> {
    if (state.stage === 'look') {
      await steps.inspect();
      await steps.plan('codeact-plan');
      return { state: { ...state, stage: 'work' } };
    }
    const { calls } = await steps.code('codeact');
    if (calls.length === 0) return silent(state, steps);
    return answer({ ...state, silent: 0 }, steps, calls);
  },
};

function silent(state: State, steps: Steps): Turn<State> {
  if (state.silent > 0) return { outcome: { status: 'stopped', reason: 'two replies in a row held no tool call' } };
  steps.note({ kind: 'no-call' });
  return { state: { ...state, silent: state.silent + 1 } };
}

/** Every call of one reply is answered: run, verified, or noted as not run. */
async function answer(state: State, steps: Steps, calls: Call[]): Promise<Turn<State>> {
  let skip = '';
  for (const [i, call] of calls.entries()) {
    if (skip || call.problem) {
      steps.note({ kind: 'not-run', call: call.id, why: skip || call.problem! });
    } else if (call.path !== undefined) {
      for (const rest of calls.slice(i + 1)) steps.note({ kind: 'not-run', call: rest.id, why: 'It came after a submit.' });
      const end = await finish(steps, call.id, { path: call.path }, { left: state.left, review: 'codeact-review' });
      return end === 'repair' ? { state: { ...state, left: state.left - 1 } } : { outcome: end };
    } else if (call.code) {
      const seen = await steps.cell(call.id, { hash: call.code });
      if (!seen.ok) skip = 'An earlier cell of the same reply failed.';
    }
  }
  return { state: state satisfies Json };
}
