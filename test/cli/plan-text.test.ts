import { expect, test } from 'vitest';
import { planLines } from '../../src/cli/plan-text.js';
import { readPlan } from '../../src/session/plan.js';

test('a plan is read at a glance: steps, assumptions, questions with their choices, what is frozen', () => {
  const { plan } = readPlan({
    steps: ['Read', 'Score'],
    assumptions: ['spend = amount', 'all users count, those whose spend is not known among them, and a missing value is taken as the median'],
    questions: [{ question: 'Which market?', options: ['EU', 'UK'], default: 'UK' }],
    checks: [
      { kind: 'rows', output: 'audience.parquet', equals: 1000 },
      { kind: 'share', output: 'audience.parquet', column: 'group', value: 'holdout', equals: 0.2 },
      { kind: 'numbers', output: 'audience.parquet', column: 'score' },
      { kind: 'columns', output: 'other.csv', columns: ['id'] },
    ],
  });
  expect(planLines(plan)).toEqual([
    'Plan     1. Read',
    '         2. Score',
    'Assumed  • spend = amount',
    '         • all users count, those whose spend is not known among them, and a missing',
    '           value is taken as the median',
    'Asks     q1  Which market?',
    '             1  EU',
    '             2  UK   (default)',
    'Checks   audience.parquet: exactly 1,000 rows',
    '         exactly 20 % of the rows with group "holdout" · score always a finite number',
    '         other.csv: column id there   (frozen)',
  ]);
});
