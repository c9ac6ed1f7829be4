import type { WorkflowInterceptorsFactory } from '@temporalio/workflow';
import { teamOf, withTeam } from './team.js';

/** Interceptors of ours, inbound and outbound: hand the team on. They run in the workflow sandbox, for nl2code's workflow too. */
export const interceptors: WorkflowInterceptorsFactory = () => {
  let team = 'unknown';
  return {
    inbound: [
      {
        execute(input, next) {
          team = teamOf(input.headers);
          return next(input);
        },
      },
    ],
    outbound: [
      {
        scheduleActivity: (input, next) => next({ ...input, headers: withTeam(input.headers, team) }),
        startChildWorkflowExecution: (input, next) => next({ ...input, headers: withTeam(input.headers, team) }),
        continueAsNew: (input, next) => next({ ...input, headers: withTeam(input.headers, team) }),
      },
    ],
  };
};
