import type { Decision, Proposal } from '../../src/session/decision.js';
import type { Request } from '../../src/session/request.js';
import { newSession, type SessionState } from '../../src/session/session-state.js';
import type { StepCall, StepIO, StepKind, StepReply } from '../../src/session/step.js';
import { NOTHING_SPENT } from '../../src/session/usage.js';
import { drive, type Ports } from '../../src/strategies/drive.js';
import { strategies } from '../../src/strategies/strategies.js';
import type { Halt } from '../../src/strategies/strategy.js';

/** What a step answers: its value, or a Halt it throws. */
export type Script = { [K in StepKind]?: (StepIO[K]['value'] | Halt)[] };

export function request(over: Partial<Request> = {}): Request {
  return {
    id: 'r1',
    prompt: 'count the rows',
    strategy: 'codeact',
    pack: null,
    inputs: [],
    truth: [],
    outputs: [],
    model: 'scripted',
    sandbox: 'process',
    isolation: 'bubblewrap',
    limits: { cellTimeoutMs: 1000, scriptTimeoutMs: 1000, memoryBytes: 1, diskBytes: 1, maxRepairs: 2, stepsPerRun: 75 },
    budget: { maxSteps: 40, maxCostUsd: null, maxTokens: null, deadline: null },
    approval: { policy: 'never', expiryMs: 1000 },
    labels: {},
    ...over,
  };
}

/**
 * A scripted double of the world below `drive`: answers steps from lists, fails on a surplus step, and tells what was not used.
 * Round-trips the state through JSON at every boundary, as continue-as-new does.
 */
export async function play(over: Partial<Request>, script: Script, decisions: Decision[] = []) {
  const state: SessionState = newSession('s1', request(over));
  const left = structuredClone(script) as Record<string, unknown[]>;
  // Halts lose their class in a clone.
  for (const [kind, values] of Object.entries(script)) left[kind] = [...values];
  left.open ??= [{ seq: 0, verdicts: [] }];
  left.close ??= [null];
  const waiting = [...decisions];
  const calls: StepCall[] = [];
  const proposals: Proposal[] = [];
  const ports: Ports = {
    async step<K extends StepKind>(call: StepCall<K>): Promise<StepReply<K>> {
      calls.push(structuredClone(call) as StepCall);
      const values = left[call.kind] ?? [];
      if (values.length === 0) throw new Error(`surplus step: ${call.kind} ${call.ask ?? ''}`);
      const value = values.shift();
      if (value instanceof Error) throw value;
      return { head: `h${calls.length}`, value: value as StepIO[K]['value'], spent: { ...NOTHING_SPENT, calls: 1 } };
    },
    async decision(proposal) {
      proposals.push(structuredClone(proposal));
      const decision = waiting.shift();
      if (!decision) throw new Error('surplus proposal');
      return { actor: 'tester', decision };
    },
    async boundary() {
      Object.assign(state, JSON.parse(JSON.stringify(state)));
    },
  };
  const verdict = await drive(strategies[state.request.strategy], state, ports);
  const unused = Object.entries(left).flatMap(([kind, values]) => values.map(() => kind));
  return { verdict, calls, proposals, unused: [...unused, ...waiting.map(() => 'decision')], kinds: calls.map((call) => (call.kind === 'execute' ? (call as StepCall<'execute'>).args.target : call.kind)), state };
}

export const ok = (code?: string) => ({ ok: true, ...(code ? { code } : {}), sig: 's' });
export const bad = (code?: string) => ({ ok: false, ...(code ? { code } : {}), sig: 's' });
