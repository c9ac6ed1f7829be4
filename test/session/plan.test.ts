import { describe, expect, test } from 'vitest';
import { checkText, readCheck } from '../../src/session/acceptance-check.js';
import { agreedPlan } from '../../src/session/agreed-plan.js';
import type { Fact } from '../../src/session/facts.js';
import type { Json } from '../../src/session/json.js';
import { answersProblem, readPlan, readPlanText } from '../../src/session/plan.js';
import { approvalProblem } from '../../src/session/request.js';

describe('an acceptance check', () => {
  test.each([
    [{ kind: 'rows', equals: 1000 }, 'a.csv: exactly 1,000 rows'],
    [{ kind: 'rows', min: '5', max: 12345 }, 'a.csv: from 5 to 12,345 rows'],
    [{ kind: 'columns', columns: ['id', 'a b'] }, 'a.csv: columns id, "a b" there'],
    [{ kind: 'unique', columns: 'id' }, 'a.csv: id never repeats'],
    [{ kind: 'unique', columns: ['day', 'shop'] }, 'a.csv: day and shop together never repeat'],
    [{ kind: 'no-nulls', column: 'id' }, 'a.csv: id never empty'],
    [{ kind: 'values', column: 'group', values: ['target', 'holdout', 3, true] }, 'a.csv: group is "target" or "holdout" or 3 or true'],
    [{ kind: 'count', column: 'group', value: 'holdout', equals: 200 }, 'a.csv: exactly 200 rows with group "holdout"'],
    [{ kind: 'share', column: 'group', value: 'holdout', equals: 0.2 }, 'a.csv: exactly 20 % of the rows with group "holdout"'],
    [{ kind: 'share', column: 'ok', value: true, max: 0.125 }, 'a.csv: at most 12.5 % of the rows with ok true'],
    [{ kind: 'numbers', columns: ['score'] }, 'a.csv: score always a finite number'],
    [{ kind: 'numbers', column: 'score', min: 0, max: 1 }, 'a.csv: score always a finite number, from 0 to 1'],
    [{ kind: 'sum', column: 'share', equals: 1 }, 'a.csv: sum of share exactly 1'],
    [{ kind: 'disjoint', column: 'user_id', input: 'seeds.csv', inputColumn: 'id' }, 'a.csv: no user_id that is in id of seeds.csv'],
    [{ kind: 'within', column: 'user_id', input: 'seeds.csv', input_column: null }, 'a.csv: every user_id is in user_id of seeds.csv'],
    [{ kind: 'sorted', column: 'rank' }, 'a.csv: sorted by rank, ascending'],
  ])('%j says what it checks', (given, said) => {
    const check = readCheck({ output: 'a.csv', ...given }, ['seeds.csv']);
    expect(check).toBeTypeOf('object');
    expect(checkText(check as never)).toBe(said);
    // What was read is read again as it is: an editor shows it so.
    expect(readCheck(JSON.parse(JSON.stringify(check)))).toEqual(check);
  });

  test.each([
    [true, 'it is true and no object with kind and output'],
    [{ kind: 'python', output: 'a.csv', code: 'True' }, 'its kind is "python"; the kinds are rows, '],
    [{ kind: '__proto__', output: 'a.csv' }, 'its kind is "__proto__"; the kinds are '],
    [{ kind: 'rows', equals: 1 }, 'its output is missing; name the file as a relative path'],
    [{ kind: 'rows', output: '../truth.json', equals: 1 }, 'its output is "../truth.json"; name the file as a relative path'],
    [{ kind: 'rows', output: 'a.csv' }, 'a rows check needs equals, min or max'],
    [{ kind: 'rows', output: 'a.csv', equals: 'many' }, 'its equals is "many"; give a number'],
    [{ kind: 'rows', output: 'a.csv', equals: 1, column: 'group' }, 'a rows check does not take "column"'],
    [{ kind: 'rows', output: 'a.csv', equals: 1, tolerance: 5 }, 'a rows check does not take "tolerance"'],
    [{ kind: 'rows', output: 'a.csv', min: 3, max: 2 }, 'its min 3 is above its max 2'],
    [{ kind: 'rows', output: 'a.csv', equals: 1.5 }, 'a number of rows is a whole number of at least 0'],
    [{ kind: 'share', output: 'a.csv', column: 'g', value: 'x', equals: 20 }, 'a share is a part of 1: give 0.2 for 20 %'],
    [{ kind: 'count', output: 'a.csv', column: 'g', equals: 20 }, 'a count check needs value'],
    [{ kind: 'columns', output: 'a.csv', columns: ['a\u202eb'] }, 'its columns is ["a\u202eb"]; give a list of 1 to 40 names'],
    [{ kind: 'disjoint', output: 'a.csv', column: 'id', input: 'none.csv' }, 'there is no input "none.csv"; there is "seeds.csv"'],
    [{ kind: 'sorted', output: 'a.csv', columns: ['a'], order: 'up' }, 'its order is "up"; choose ascending or descending'],
  ])('%j is refused with what is wrong', (given, why) => {
    const read = readCheck(given, ['seeds.csv']);
    expect(read).toBeTypeOf('string');
    expect(read).toContain(why);
  });
});

describe('a plan', () => {
  test('is bounded in number and length, and safe to show', () => {
    const { plan, problems } = readPlan({
      steps: ['x'.repeat(5000), 'two\u0000\u202e\n  lines', ...Array<string>(20).fill('s')],
      assumptions: Array<string>(50).fill('a'),
      questions: Array.from({ length: 9 }, () => ({ question: 'q'.repeat(1000), options: Array<string>(30).fill('o'), default: 'd' })),
      checks: Array.from({ length: 50 }, () => ({ kind: 'rows', output: 'a', equals: 1 })),
    });
    expect([plan.steps.length, plan.assumptions.length, plan.questions.length, plan.checks.length]).toEqual([10, 12, 3, 12]);
    expect(plan.steps[0]).toHaveLength(300);
    expect(plan.steps[1]).toBe('two lines');
    expect(plan.questions[0]).toMatchObject({ id: 'q1', options: ['o', 'o', 'o', 'o', 'o', 'd'], default: 'd' });
    expect(problems).toHaveLength(4);
    expect(problems.at(-1)).toBe('There are 50 checks; those after the first 12 were left out.');
  });

  test.each([
    [null, []],
    [{ steps: 'all of it' }, ['The steps are no list and were left out.']],
    [{ questions: [{ question: 'Which?' }] }, ['The question 1 was left out: it needs default, the answer that is taken when nobody gives one.']],
    [{ assumptions: [7, 'b'] }, ['The assumption 1 was left out: it is no text.']],
  ])('of any shape is read: %j', (given, problems) => {
    expect(readPlan(given)).toMatchObject({ plan: { steps: [] }, problems });
  });

  test.each([
    ['{"steps": ["a"]', /^The plan is no JSON: .*Correct it and send the edit again\.$/],
    ['[]', /^The plan is no JSON object/],
    ['{"steps": []}', /^The plan has no steps/],
    ['{"steps": ["a"], "checks": ["True"]}', /^The plan can't be taken as it stands\. The check 1 was left out: it is "True" and no object/],
    ['{"steps": ["a"], "code": "x"}', /^A plan has no member "code"/],
  ])('that a person hands in as %j is refused with a sentence', (text, why) => {
    expect(readPlanText(text)).toMatch(why);
  });

  test('of a person is never cut: what is too long is refused with its length', () => {
    expect(readPlanText(JSON.stringify({ steps: ['x'.repeat(450)] }))).toMatch(/^The plan can't be taken as it stands\. The line "x{40}…" has 450 characters: write at most 300, or make two of it\.$/);
    expect(readPlanText(JSON.stringify({ steps: ['a'], questions: [{ question: 'Which?', options: ['y'.repeat(101)], default: 'b' }] }))).toMatch(/The option .* has 101 characters/);
    expect(readPlanText(JSON.stringify({ steps: ['a'], questions: [{ question: 'Which?', options: ['1', '2', '3', '4', '5', '6', '7'], default: '1' }] }))).toMatch(/at most 6 options/);
    expect(readPlan({ steps: ['x'.repeat(450)] }).plan.steps[0]).toHaveLength(300);
  });

  test('takes answers to what it asks, and nothing else', () => {
    expect(answersProblem(undefined, 0)).toBeUndefined();
    expect(answersProblem({ q2: 'both' }, 2)).toBeUndefined();
    expect(answersProblem({ q3: 'x' }, 2)).toBe('There is no question "q3": the plan asks q1, q2.');
    expect(answersProblem({ q1: 'x' }, 0)).toBe('There is no question "q1": the plan asks nothing.');
    expect(answersProblem({ q1: ' ' }, 1)).toBe('The answer to q1 is 1 characters long: give a text of 1 to 300 characters.');
    expect(answersProblem(['x'], 1)).toMatch(/^The answers are no object/);
  });

  test('that holds is the last one, as it was edited and answered', () => {
    const question = { id: 'q1', question: 'Which?', options: ['a', 'b'], default: 'b' };
    const blobs: Record<string, string> = { one: JSON.stringify({ steps: ['old'], assumptions: [], questions: [], checks: [] }), two: JSON.stringify({ steps: ['new'], assumptions: [], questions: [question], checks: [] }) };
    const made = (plan: string) => ({ kind: 'plan' as const, value: { items: 1, plan } as Json, facts: [] as Fact[] });
    const decided = (decision: Extract<Fact, { kind: 'decision' }>['decision']): Fact => ({ kind: 'decision', proposal: 'h:plan', what: 'plan', actor: 'ann', decision });
    const read = (hash: string) => blobs[hash]!;
    expect(agreedPlan([], read)).toBeNull();
    expect(agreedPlan([made('one'), made('two')], read)).toMatchObject({ plan: { steps: ['new'] }, questions: [{ answer: 'b', by: 'default' }] });
    expect(agreedPlan([made('two')], read, [decided({ kind: 'approve', answers: { q1: 'a' } })])?.questions).toEqual([{ ...question, answer: 'a', by: 'ann' }]);
    const edit = decided({ kind: 'edit', code: { text: '{"steps": ["mine"]}' } });
    expect(agreedPlan([made('two'), { ...made('one'), kind: 'code', facts: [edit] }], read)).toEqual({ plan: { steps: ['mine'], assumptions: [], questions: [], checks: [] }, questions: [] });
  });
});

test('approval of a plan is refused where none is made before code', () => {
  expect(approvalProblem('plan', 'codeact')).toBeUndefined();
  expect(approvalProblem('every-cell', 'react')).toBeUndefined();
  expect(approvalProblem('plan', 'react')).toBe('The approval policy "plan" does not fit strategy react, which makes no plan: choose codeact or chained, or approval "final".');
  expect(approvalProblem('plan', 'auto')).toMatch(/writes a first script before any plan/);
});
