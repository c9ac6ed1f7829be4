import type { Changes } from '../session/changes.js';
import type { Observation } from '../session/observation.js';
import type { StepIO } from '../session/step.js';
import type { SessionFolder } from './session-store.js';

/** What the script that was verified last changed against the last verified request; undefined where there is nothing to hold it against. */
export function readChanges(folder: SessionFolder): Changes | undefined {
  const last = folder.chain.walk(folder.chain.head()).findLast(({ record }) => record.kind === 'execute' && (record.args as unknown as StepIO['execute']['args']).target === 'script')?.record;
  if (!last?.refs.observation) return undefined;
  const seen = JSON.parse(folder.blobs.text(last.refs.observation)) as Observation;
  return seen.kind === 'verification' ? seen.changes : undefined;
}
