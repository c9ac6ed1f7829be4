import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { WorkerOptions } from '@temporalio/worker';

/** Enough of a hash to tell the bundles of one team apart. */
const CHARS = 12;

/**
 * A build id for a worker with a prebuilt bundle and without versioning of its own: it stands in six events of every two steps, and the
 * SDK's own, of 91 characters, makes a fifth of a history. Reads the bundle.
 */
export function shortBuildId({ workflowBundle, workerDeploymentOptions, useVersioning }: WorkerOptions): Pick<WorkerOptions, 'buildId'> {
  if (!workflowBundle || workerDeploymentOptions || useVersioning) return {};
  const code = 'code' in workflowBundle ? workflowBundle.code : readFileSync(workflowBundle.codePath);
  return { buildId: createHash('sha256').update(code).digest('hex').slice(0, CHARS) };
}
