import { createTwoFilesPatch } from 'diff';
import type { Fact, Loop } from '../session/facts.js';
import { cut } from './observation-text.js';

/** Unified diff of two versions of the script, bounded. */
export function scriptDiff(before: string, after: string): string {
  return cut(createTwoFilesPatch('submitted', 'edited', before, after, '', '', { context: 2 }).split('\n').slice(1).join('\n'), 6000);
}

/** What a person's decision tells the model; undefined where there is nothing to tell. */
export function decisionText(fact: Extract<Fact, { kind: 'decision' }>, script: string | undefined, edited: string | undefined): string | undefined {
  switch (fact.decision.kind) {
    case 'approve':
      return 'A person approved the script.';
    case 'edit':
      return `A person edited the script. Their version is the script now: keep their change, do not undo it.\n\n${scriptDiff(script ?? '', edited ?? '')}`;
    case 'reject':
      return `A person rejected the script${fact.decision.reason ? `: ${cut(fact.decision.reason, 2000)}` : '.'}\nChange it accordingly and submit again.`;
    case 'expired':
      return undefined;
  }
}

/** What a model is told that goes round in circles. */
export function loopText(loop: Loop): string {
  return `${LOOPS[loop]} Running it again will not change that. Look at what you have, say in one sentence what you assumed wrongly, and take another way; if it goes on like this, the session is stopped.`;
}

const LOOPS: Record<Loop, string> = {
  repeat: 'You ran the same code three times and saw the same result.',
  error: 'You ran the same code twice and it failed in the same way.',
  alternation: 'You take turns between the same two cells, with the same results.',
  'no-progress': 'The last eight cells all failed.',
};
