import type { WorkflowClientInterceptor } from '@temporalio/client';
import { withTeam } from './team.js';

/** An interceptor of ours: names the team in everything this client starts. */
export function teamInterceptor(team: string): WorkflowClientInterceptor {
  return {
    start: (input, next) => next({ ...input, headers: withTeam(input.headers, team) }),
    startWithDetails: (input, next) => next({ ...input, headers: withTeam(input.headers, team) }),
  };
}
