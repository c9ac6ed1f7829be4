import { finish } from './finish.js';
import { onlyScript } from './single-shot.js';
import { looksAtInputs, type Strategy } from './strategy.js';
import { toolTurns, type ToolTurnsState } from './tool-turns.js';

type State = { at: 'first'; look: boolean; session: ToolTurnsState } | { at: 'session'; session: ToolTurnsState };

const session = toolTurns({ plan: 'auto-plan', turn: 'auto', review: 'auto-review' });

/** The cheapest way first: one reply with the whole script. When that does not verify, the same conversation goes on in a live session. */
export const auto: Strategy<State> = {
  start: (request) => ({ at: 'first', look: looksAtInputs(request), session: { ...session.start(request), stage: 'plan' } }),

  async turn(state, steps) {
    if (state.at === 'session') {
      const turn = await session.turn(state.session, steps);
      return 'outcome' in turn ? turn : { state: { at: 'session', session: turn.state } };
    }
    if (state.look) {
      await steps.inspect();
      return { state: { ...state, look: false } };
    }
    const written = await steps.code('auto-first');
    const submitted = onlyScript(written);
    for (const call of written.calls) if (call.problem) steps.note({ kind: 'not-run', call: call.id, why: call.problem });
    const end = 'problem' in submitted ? 'escalate' : await finish(steps, submitted.id, submitted.code, { left: 0, review: null, escalate: true });
    return typeof end === 'object' ? { outcome: end } : { state: { at: 'session', session: state.session } };
  },
};
