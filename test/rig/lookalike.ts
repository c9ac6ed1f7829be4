import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { RequestOptions } from '../../src/admission/admit.js';
import { ROOT } from './in-process.js';

/** What the playbooks `lookalike.*` of the marketing pack play. */
export const LOOKALIKE =
  'Build a lookalike audience from seed list `high_value_q1.csv`. Use purchase frequency, average order value, and days since last purchase as features. ' +
  'Score all users in the `user_features` table. Output the top 10% as the target audience with a 20% holdout group. Write results to `lookalike_audience_scored.parquet`.';

/** The lookalike request, with its data made in a folder of this one: column names other than the request's, truth apart. */
export function lookalikeRequest(dir: string): RequestOptions {
  const data = join(dir, 'data');
  mkdirSync(data);
  execFileSync(join(ROOT, '.runtime/python/bin/python'), [join(ROOT, 'packs/marketing/generate.py'), '--seed', '7', '--columns', 'varied', '--out', data]);
  return {
    prompt: LOOKALIKE,
    pack: 'marketing',
    inputs: ['high_value_q1.csv', 'user_features.parquet'].map((name) => join(data, name)),
    truth: [join(data, 'truth', 'lookalike_truth.json')],
    outputs: ['lookalike_audience_scored.parquet'],
  };
}
