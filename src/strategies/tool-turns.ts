import type { Call } from '../session/step.js';
import { finish } from './finish.js';
import { silence } from './silence.js';
import { looksAtInputs, type Steps, type Strategy, type Turn } from './strategy.js';

export type ToolTurnsState = { stage: 'look' | 'plan' | 'work'; /** Replies without a call in a row. */ silent: number; left: number };

export interface ToolAsks {
  /** Asked once, before the first turn; null for a strategy that does not plan. */
  plan: string | null;
  turn: string;
  review: string;
}

/** Looks at the inputs, plans, then lets the model call tools, turn by turn, until it submits a script that verifies. */
export function toolTurns(asks: ToolAsks): Strategy<ToolTurnsState> {
  return {
    start: (request) => ({ stage: looksAtInputs(request) ? 'look' : asks.plan === null ? 'work' : 'plan', silent: 0, left: request.limits.maxRepairs }),

    async turn(state, steps): Promise<Turn<ToolTurnsState>> {
      if (state.stage !== 'work') {
        if (state.stage === 'look') await steps.inspect();
        if (asks.plan !== null) {
          const { items } = await steps.plan(asks.plan);
          if (items === 0) return silence({ ...state, stage: 'plan' as const }, steps, 'plan');
        }
        return { state: { ...state, stage: 'work', silent: 0 } };
      }
      const { calls, ended } = await steps.code(asks.turn);
      if (calls.length === 0) return silence(state, steps, 'tool call', ended);
      return answer({ ...state, silent: 0 }, steps, calls, asks.review);
    },
  };
}

/** Every call of one reply is answered: run, verified, or noted as not run. */
async function answer(state: ToolTurnsState, steps: Steps, calls: Call[], review: string): Promise<Turn<ToolTurnsState>> {
  let skip = '';
  for (const [i, call] of calls.entries()) {
    if (skip || call.problem) {
      steps.note({ kind: 'not-run', call: call.id, why: skip || call.problem! });
    } else if (call.path !== undefined) {
      for (const rest of calls.slice(i + 1)) steps.note({ kind: 'not-run', call: rest.id, why: 'It came after a submit.' });
      const end = await finish(steps, call.id, { path: call.path }, { left: state.left, review });
      return typeof end === 'object' ? { outcome: end } : { state: { ...state, left: state.left - 1 } };
    } else if (call.code) {
      const seen = await steps.cell(call.id, { hash: call.code });
      if (!seen.ok) skip = 'An earlier call of the same reply failed.';
    }
  }
  return { state };
}
