import type { CodeRef, Decision, Proposal } from '../session/decision.js';
import { readPlanText } from '../session/plan.js';
import { settle, type SessionState } from '../session/session-state.js';
import type { StepIO } from '../session/step.js';
import type { Ports } from './drive.js';
import { Halt } from './strategy.js';

type Planned = StepIO['plan']['value'];
type Seen = StepIO['execute']['value'];

/** When a person is asked, by the policy of the request. What is shown is named by its hash, and that hash is what runs. */
export interface Approvals {
  /** Makes a plan until one holds: approved, edited, or made where nobody is asked. A rejection with a reason asks the model again. */
  plan(make: () => Promise<Planned>): Promise<{ items: number }>;
  /** Runs a cell as a person lets it run: `ran` is what ran, null for what they refused. */
  cell(call: string, code: CodeRef, run: (allowed: CodeRef) => Promise<Seen>): Promise<{ seen: Seen; ran: CodeRef | null }>;
  /** Shows a verified script; approves where nobody is asked. */
  script(call: string, code: CodeRef, problem?: string): Promise<Decision>;
}

/** The approvals of a request that runs. */
export function approvals(state: SessionState, ports: Pick<Ports, 'decision'>): Approvals {
  const { policy } = state.request.approval;

  async function propose(what: Proposal['what'], call: string, code: CodeRef, more: Pick<Proposal, 'questions' | 'problem'> = {}): Promise<Decision> {
    if (!('hash' in code)) throw new TypeError('only what is stored can be proposed');
    const proposal: Proposal = { id: `${state.head}:${call}`, what, code: code.hash, ...more };
    state.proposal = proposal;
    const { actor, decision } = await ports.decision(proposal);
    // A message handler has settled it already; the clock, tests and replay have not.
    if (state.proposal === proposal) settle(state, proposal.id, actor, decision);
    return decision;
  }

  return {
    async plan(make) {
      for (;;) {
        const { items, plan, questions } = await make();
        if (!plan) return { items };
        if (policy !== 'plan') {
          if (questions) state.facts.push({ kind: 'defaults-taken' });
          return { items };
        }
        const said = await propose('plan', 'plan', { hash: plan }, questions ? { questions } : {});
        switch (said.kind) {
          case 'approve':
            return { items };
          case 'edit': {
            // The message was refused unless it holds a plan.
            const edited = 'text' in said.code ? readPlanText(said.code.text) : '';
            return { items: typeof edited === 'string' ? items : edited.steps.length };
          }
          case 'expired':
            throw new Halt({ status: 'stopped', reason: 'approval-expired' });
          case 'reject':
            if (!said.reason) throw new Halt({ status: 'rejected', reason: 'the plan was rejected without a reason' });
        }
      }
    },

    async cell(call, code, run) {
      if (policy !== 'every-cell') return { seen: await run(code), ran: code };
      for (let problem: string | undefined; ; ) {
        const said = await propose('cell', call, code, problem ? { problem } : {});
        if (said.kind === 'expired') throw new Halt({ status: 'stopped', reason: 'approval-expired' });
        if (said.kind === 'reject') return { seen: { ok: false, sig: '' }, ran: null };
        const ran = said.kind === 'edit' ? said.code : code;
        const seen = await run(ran);
        if (said.kind === 'approve' || !seen.unparsed) return { seen, ran };
        problem = notPython(seen.unparsed);
      }
    },

    async script(call, code, problem) {
      if (policy === 'never' || policy === 'plan') return { kind: 'approve' };
      return propose('script', call, code, problem ? { problem } : {});
    },
  };
}

/** Why what a person edited waits again as it was. Nothing of the edit ran. */
export const notPython = (why: string): string => `The edit is no Python, so nothing of it ran: ${why}`;
