import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { teamOf } from './team.js';

/** One activity that ended, however it did. */
export interface Work {
  team: string;
  activity: string;
  ms: number;
}

/** An interceptor of ours: says whose work took how long. It sees our activities and every step of nl2code. */
export function accountingInterceptor(record: (work: Work) => void): ActivityInterceptorsFactory {
  return ({ info }) => ({
    inbound: {
      async execute(input, next) {
        const began = performance.now();
        try {
          return await next(input);
        } finally {
          record({ team: teamOf(input.headers), activity: info.activityType, ms: Math.round(performance.now() - began) });
        }
      },
    },
  });
}
