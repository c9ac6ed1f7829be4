import type { Fact } from './facts.js';
import type { Hash } from './json.js';
import { readPlanText, type Answers, type Plan, type Question } from './plan.js';
import type { StepRecord } from './step-record.js';
import type { StepIO } from './step.js';

/** A question with the answer that holds, and whose it is: a person's, or the plan's own default. */
export interface Answered extends Question {
  answer: string;
  by: string;
}

/** The plan a request is worked by: the last one made, as people edited and answered it. */
export interface AgreedPlan {
  plan: Plan;
  questions: Answered[];
}

export const BY_DEFAULT = 'default';

/**
 * The plan in force at the end of a request's records, and of `facts` that no record carries yet; null before there is one. Pure but
 * for `read`, which gives the text of a blob.
 */
export function agreedPlan(records: readonly Pick<StepRecord, 'kind' | 'value' | 'facts'>[], read: (hash: Hash) => string, facts: readonly Fact[] = []): AgreedPlan | null {
  let plan: Plan | null = null;
  let answers: Answers = {};
  let by = '';
  const decide = (fact: Fact) => {
    if (fact.kind !== 'decision' || fact.what !== 'plan') return;
    by = fact.actor;
    if (fact.decision.kind === 'approve') answers = fact.decision.answers ?? {};
    if (fact.decision.kind === 'edit' && 'text' in fact.decision.code) {
      const edited = readPlanText(fact.decision.code.text);
      if (typeof edited !== 'string') plan = edited;
    }
  };
  for (const record of records) {
    record.facts.forEach(decide);
    if (record.kind !== 'plan') continue;
    const { plan: made } = record.value as unknown as StepIO['plan']['value'];
    answers = {};
    plan = made === undefined ? null : (JSON.parse(read(made)) as Plan);
  }
  facts.forEach(decide);
  return plan && { plan, questions: answered(plan, answers, by) };
}

/** The questions of a plan with the answers that hold. Pure. */
export function answered({ questions }: Plan, answers: Answers, by: string): Answered[] {
  return questions.map((question) => {
    const given = Object.hasOwn(answers, question.id) ? answers[question.id] : undefined;
    return { ...question, answer: given ?? question.default, by: given === undefined ? BY_DEFAULT : by };
  });
}
