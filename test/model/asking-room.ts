import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createActivities } from '../../src/activities/activities.js';
import { step } from '../../src/activities/step.js';
import type { StepWorld } from '../../src/activities/world.js';
import type { Request } from '../../src/session/request.js';
import { newSession } from '../../src/session/session-state.js';
import type { StepCall, StepKind, StepReply } from '../../src/session/step.js';
import { SessionStore } from '../../src/store/session-store.js';
import { drive, type Ports } from '../../src/strategies/drive.js';
import { Halt } from '../../src/strategies/strategy.js';
import { strategies } from '../../src/strategies/strategies.js';
import { request } from '../strategies/scripted-ports.js';
import type { Answer } from './answering-server.js';
import { against } from './endpoint-room.js';

const CELL = { kind: 'cell', k: 0, ended: 'ok', stdout: { text: '42', omitted: 0 }, stderr: { text: '', omitted: 0 }, result: null, displays: [], error: null, ms: 1 };

/**
 * A request whose model is an HTTP server that gives these answers, the last one for ever. The strategy, the activities that ask, the
 * store and the endpoint client are real; a cell shows 42, and a submitted script is never looked at.
 */
export async function converse(answers: Answer[], over: Partial<Request> = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'nl2code-asking-'));
  const { server, endpoint } = await against(answers);
  const store = new SessionStore(dir);
  const session = store.session('s1').create();
  const world = { store, endpoint, priceOf: () => undefined, maxOutputTokens: 1000, maxExposure: 'full' } as unknown as StepWorld;
  const activities = createActivities(world);
  const state = newSession('s1', request({ strategy: 'react', model: 'm', ...over }));
  let clock = 1;
  const ports: Ports = {
    async step<K extends StepKind>(call: StepCall<K>): Promise<StepReply<K>> {
      clock += 1;
      const room = new MockActivityEnvironment({ workflowExecution: { workflowId: 's1', runId: 'r' }, activityId: String(clock) }, { logger: new DefaultLogger('ERROR', () => undefined) });
      const { session: _session, kind, ...sent } = call;
      if (kind === 'close') return { head: call.parent!, value: null as never };
      if (kind !== 'execute') return room.run(activities[`nl2code-${kind}`] as (given: typeof sent) => Promise<StepReply<K>>, sent);
      const { target } = call.args as { target: string };
      if (target === 'script') throw new Halt({ status: 'stopped', reason: 'the test ends here' });
      return room.run(() => step(world, call, () => Promise.resolve({ value: { ok: true, sig: String(clock) }, refs: { observation: { text: JSON.stringify(CELL) } } })));
    },
    decision: () => Promise.reject(new Error('nobody is asked')),
    boundary: () => Promise.resolve(),
  };
  const verdict = await drive(strategies[state.request.strategy], state, ports);
  const lost = session.chain.unaccounted(session.chain.walk(session.chain.head()));
  rmSync(dir, { recursive: true });
  /** The last message of a request as it arrived, without what it says of the budget. */
  const told = (i: number) => {
    const { role, content } = (server.seen[i]!.body.messages as { role: string; content: string }[]).at(-1)!;
    return { role, content: content.replace(/\n\[budget left: .*\]$/, '') };
  };
  return { verdict, seen: server.seen, told, spent: state.spent, lost, endpoint };
}
