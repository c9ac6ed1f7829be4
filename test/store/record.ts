import type { StepRecord } from '../../src/session/step-record.js';
import { NOTHING_SPENT } from '../../src/session/usage.js';

/** A record that is as good as any. */
export function record(over: Partial<StepRecord> = {}): StepRecord {
  return { v: 1, parent: null, seq: 0, kind: 'code', ask: 'codeact', args: null, facts: [], value: { calls: [] }, refs: {}, spent: NOTHING_SPENT, startedAt: 1, ms: 1, ...over };
}
