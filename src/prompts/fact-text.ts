import { createTwoFilesPatch } from 'diff';
import { checkText } from '../session/acceptance-check.js';
import { answered, BY_DEFAULT, type Answered } from '../session/agreed-plan.js';
import type { Decision } from '../session/decision.js';
import type { Fact, Loop } from '../session/facts.js';
import type { Plan } from '../session/plan.js';
import { cut } from './observation-text.js';

/** Unified diff of two versions of the model's code, bounded. */
export function codeDiff(before: string, after: string): string {
  return cut(createTwoFilesPatch('submitted', 'edited', before, after, '', '', { context: 2 }).split('\n').slice(1).join('\n'), 6000);
}

/** What a person's decision tells the model; undefined where there is nothing to tell. `script` is null when no part of it may be quoted. */
export function decisionText(fact: Extract<Fact, { kind: 'decision' }>, script: string | null | undefined, edited: string | undefined): string | undefined {
  switch (fact.decision.kind) {
    case 'approve':
      return 'A person approved the script.';
    case 'edit':
      return `A person edited the script. Their version is the script now: keep their change, do not undo it.\n\n${script === null ? 'The change is not shown: the script holds values of the data.' : codeDiff(script ?? '', edited ?? '')}`;
    case 'reject':
      return `A person rejected the script${fact.decision.reason ? `: ${cut(fact.decision.reason, 2000)}` : '.'}\nChange it accordingly and submit again.`;
    case 'expired':
      return undefined;
  }
}

/** What a person's decision about a plan tells the model; `plan` is the one that holds now. */
export function planDecisionText(fact: Extract<Fact, { kind: 'decision' }>, plan: Plan): string | undefined {
  const { decision, actor } = fact;
  switch (decision.kind) {
    case 'approve':
      return ['A person approved the plan.', ...answerLines(answered(plan, decision.answers ?? {}, actor))].join('\n');
    case 'edit':
      return ['A person changed the plan. This is the plan now; work by it:', ...planLines(plan), ...answerLines(answered(plan, {}, actor))].join('\n');
    case 'reject':
      return `A person rejected the plan: ${cut(decision.reason ?? 'without a reason', 2000)}\nMake another plan accordingly.`;
    case 'expired':
      return undefined;
  }
}

/** What the model is told where nobody is asked about its questions. */
export function defaultsText(plan: Plan): string {
  return ['Nobody answers the questions of the plan: the defaults hold.', ...answerLines(answered(plan, {}, ''))].join('\n');
}

/** What a person's decision about a cell tells the model: with its result, or in its place. Empty for a cell that ran as it was. */
export function cellDecisionText(decision: Decision, before: string, edited: string | undefined): string {
  if (decision.kind === 'edit') return `A person changed this cell before it ran; their version is what ran.\n${codeDiff(before, edited ?? '')}\n\nIts result:`;
  if (decision.kind === 'reject') return `Not run: a person rejected this cell${decision.reason ? `: ${cut(decision.reason, 2000)}` : ' and gave no reason. Take another way, or submit what you have.'}`;
  return '';
}

function planLines({ steps, assumptions, checks }: Plan): string[] {
  return ['Steps:', ...steps.map((step, i) => `${i + 1}. ${step}`), ...listed('Assumptions:', assumptions), ...listed('Checks, frozen:', checks.map(checkText))];
}

function answerLines(questions: Answered[]): string[] {
  return questions.map(({ question, answer, by }) => `- ${question} ${answer}${by === BY_DEFAULT ? ' (the default)' : ''}`);
}

const listed = (title: string, lines: string[]): string[] => (lines.length === 0 ? [] : [title, ...lines.map((line) => `- ${line}`)]);

/** What a model is told that goes round in circles. */
export function loopText(loop: Loop): string {
  return `${LOOPS[loop]} Running it again will not change that. Look at what you have, say in one sentence what you assumed wrongly, and take another way; if it goes on like this, the session is stopped.`;
}

const LOOPS: Record<Loop, string> = {
  repeat: 'You ran the same code three times and saw the same result.',
  error: 'You made the same call twice and it failed in the same way.',
  alternation: 'You take turns between the same two cells, with the same results.',
  'no-progress': 'The last eight calls all failed.',
};
