import type { Hash } from './json.js';
import type { StepRecord } from './step-record.js';
import type { StepIO } from './step.js';

/**
 * The verification a verdict rests on: the last one of the script that was decided on. A person's edit that could not be read was verified
 * after it, and changes nothing of what they approved then. Without such a script, the last of all. Pure.
 */
export function decidedVerification(since: readonly StepRecord[], script: Hash | undefined): StepRecord | undefined {
  const verified = since.filter((record) => record.kind === 'execute' && (record.args as unknown as StepIO['execute']['args']).target === 'script');
  return (script && verified.findLast((record) => record.refs.code === script)) || verified.at(-1);
}
