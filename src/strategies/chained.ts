import type { Call } from '../session/step.js';
import { finish } from './finish.js';
import { silence } from './silence.js';
import { looksAtInputs, type Steps, type Strategy } from './strategy.js';

type State = {
  stage: 'look' | 'plan' | 'step' | 'script';
  /** Of the plan: the step that is worked on, and how many there are. */
  item: number;
  items: number;
  /** Whether this step has failed before: it gets one more try. */
  again: boolean;
  /** Replies that held nothing to act on, in a row. */
  silent: number;
  left: number;
};

/** Plan, code and a run per step, review, script: one stage after the other, whatever they show. A step that fails is tried once more; what is still wrong then is the review's to say. */
export const chained: Strategy<State> = {
  bounded: true,

  start: (request) => ({ stage: looksAtInputs(request) ? 'look' : 'plan', item: 0, items: 0, again: false, silent: 0, left: request.limits.maxRepairs }),

  async turn(state, steps) {
    switch (state.stage) {
      case 'look':
        await steps.inspect();
        return { state: { ...state, stage: 'plan' } };
      case 'plan': {
        const { items } = await steps.plan('chained-plan');
        return items === 0 ? silence(state, steps, 'plan') : { state: { ...state, stage: 'step', items, silent: 0 } };
      }
      case 'step': {
        const { calls, ended } = await steps.code('chained-step', state.item);
        refused(steps, calls);
        const written = calls.find((call) => call.code);
        if (!written) return silence(state, steps, 'code', ended);
        const { ok } = await steps.cell(written.id, { hash: written.code! });
        if (!ok && !state.again) return { state: { ...state, silent: 0, again: true } };
        const next: State = { ...state, silent: 0, again: false, item: state.item + 1 };
        if (next.item < next.items) return { state: next };
        await steps.review('chained-review');
        return { state: { ...next, stage: 'script' } };
      }
      case 'script': {
        const { calls, ended } = await steps.code('chained-script');
        refused(steps, calls);
        const submitted = calls.find((call) => call.code);
        if (!submitted) return silence(state, steps, 'script', ended);
        const end = await finish(steps, submitted.id, { hash: submitted.code! }, { left: state.left, review: null });
        return typeof end === 'object' ? { outcome: end } : { state: { ...state, silent: 0, left: state.left - 1 } };
      }
    }
  },
};

/** Calls that belong to another stage, or can't be understood, are told so. */
function refused(steps: Steps, calls: Call[]): void {
  for (const { id, problem } of calls) if (problem) steps.note({ kind: 'not-run', call: id, why: problem });
}
