import type { CodeRef } from '../session/decision.js';
import { notPython } from './approvals.js';
import type { Outcome, Steps } from './strategy.js';

export interface FinishOptions {
  /** How many repairs are left. */
  left: number;
  /** Name of the review ask, or null for a strategy whose review makes no model call. */
  review: string | null;
  /** Whether a stronger strategy could go on. */
  escalate?: boolean;
}

/** The end every strategy shares: verify fresh, review, retry, ask a person. `repair` and `escalate` hand back to the strategy. */
export async function finish(steps: Steps, call: string, script: CodeRef, { left, review, escalate = false }: FinishOptions): Promise<Outcome | 'repair' | 'escalate'> {
  let code = script;
  /** What a person saw before they edited it. */
  for (let shown: CodeRef | undefined; ; ) {
    const seen = await steps.verify(call, code);
    let problem: string | undefined;
    if (shown && seen.unparsed) {
      code = shown;
      problem = notPython(seen.unparsed);
    } else {
      if (seen.code) code = { hash: seen.code };
      const reviewed = review ? await steps.review(review) : { accept: seen.ok };
      if (!seen.ok || !reviewed.accept) {
        const { next, reason } = await steps.retry(left, escalate);
        if (next !== 'give-up') return next;
        return { status: 'unverified', reason, ...(seen.code ? { script: code } : {}) };
      }
      // A person's edit that verifies is what the person asked to run: it is not shown to them again.
      if (shown) return { status: 'verified', script: code };
    }
    const said = await steps.approve(call, code, problem);
    switch (said.kind) {
      case 'approve':
        return { status: 'verified', script: code };
      case 'expired':
        return { status: 'stopped', reason: 'approval-expired', script: code };
      case 'reject':
        if (said.reason && left > 0) return 'repair';
        if (said.reason && escalate) return 'escalate';
        return { status: 'rejected', reason: said.reason ?? 'rejected without a reason', script: code };
      case 'edit':
        shown = code;
        code = said.code;
    }
  }
}
