import type { SearchAttributePair } from '@temporalio/common';
import { setCurrentDetails, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import type { Proposal } from '../session/decision.js';
import { currentDetails, type Doing } from '../session/run-text.js';
import type { SessionState } from '../session/session-state.js';
import type { StepCall } from '../session/step.js';
import type { Verdict } from '../session/verdict.js';
import { beginning, COST, STATUS, type RunStatus } from './search-attributes.js';

/**
 * What Temporal's own tools show of a run. Details cost no history. Search attributes are upserted only where the run's start carried
 * them: the one who started it had looked whether the namespace knows them, and an upsert of an unknown one would hold the run up for good.
 */
export function createRunPage(state: SessionState) {
  let doing: Doing | undefined;
  const show = (next: Doing | undefined = doing) => {
    doing = next;
    if (doing) setCurrentDetails(currentDetails(state, doing));
  };
  const standing = (status: RunStatus): SearchAttributePair[] => [
    { key: STATUS, value: status },
    { key: COST, value: Math.round(state.spent.costUsd * 1e6) / 1e6 },
  ];
  return {
    /** A message has changed what is told of the same. */
    again: () => show(),
    begins: () => upsert(beginning(state.request)),
    works: (call: Pick<StepCall, 'kind' | 'seq' | 'args'>) => show({ kind: 'step', call }),
    waits(proposal: Proposal) {
      show({ kind: 'waiting', proposal });
      upsert(standing('waiting'));
    },
    goesOn: () => upsert(standing('running')),
    ends(verdict: Verdict) {
      show({ kind: 'over', verdict });
      upsert(standing(verdict.status));
    },
  };
}

/** Those that the run has, and whose value changes: an upsert is an event. */
function upsert(pairs: SearchAttributePair[]): void {
  const { typedSearchAttributes } = workflowInfo();
  const changed = pairs.filter(({ key, value }) => {
    const had: unknown = typedSearchAttributes.get(key);
    return had !== undefined && JSON.stringify(had) !== JSON.stringify(value);
  });
  if (changed.length > 0) upsertSearchAttributes(changed);
}
