import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { describe, expect, test } from 'vitest';
import { readHistories } from '../rig/histories.js';
import { ROOT } from '../rig/in-process.js';

const code = readFileSync(join(ROOT, 'dist', 'workflow-bundle.js'), 'utf8');
const histories = readHistories();
const replay = (bundle: string, history: unknown, maxCachedWorkflows?: number) =>
  Worker.runReplayHistory({ workflowBundle: { code: bundle }, ...(maxCachedWorkflows === undefined ? {} : { maxCachedWorkflows }) }, history, 'replayed');

test('every strategy and every message is recorded', () => {
  const names = new Set(histories.map(({ name }) => name.replace(/\.\d+$/, '')));
  expect([...names].sort()).toEqual(['approval-edit', 'approval-every-cell', 'approval-expired', 'approval-plan', 'approval-plan-edit', 'approval-signal', 'auto', 'budget', 'chained', 'codeact', 'continued', 'deadline', 'follow-up', 'follow-up-queued', 'labelled', 'react', 'rejected', 'single-shot', 'stop']);
  expect(histories.filter(({ name }) => name.startsWith('continued.')).length).toBeGreaterThan(1);
});

describe.each(histories)('the recorded history $name', ({ history }) => {
  test('runs through the workflow as it is now', async () => {
    await replay(code, history);
  });
  test('and without a workflow cache', async () => {
    await replay(code, history, 0);
  });
});

test('a workflow that takes other steps is found out', async () => {
  const changed = code.replaceAll('nl2code-${kind}', 'nl2code-another-${kind}');
  expect(changed).not.toBe(code);
  const { history } = histories.find(({ name }) => name === 'codeact.1')!;
  await expect(replay(changed, history)).rejects.toThrow(DeterminismViolationError);
});
