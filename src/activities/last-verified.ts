import type { StepIO } from '../session/step.js';
import { requests } from '../store/read-result.js';
import type { Link } from '../store/chain.js';
import type { SessionFolder } from '../store/session-store.js';
import type { Before } from '../verification/verify-job.js';
import { decidedOutputs, submittedPath } from './past.js';

/** What the last verified request of a session left: a follow-up's script and outputs are held against it. Undefined when none was verified. */
export function lastVerified(folder: SessionFolder, past: readonly Link[]): (Before & { /** Where its script was submitted from. */ path: string }) | undefined {
  const end = past.findLastIndex(({ record }) => record.kind === 'close' && verdictOf(record.args).status === 'verified');
  const verdict = end < 0 ? undefined : verdictOf(past[end]!.record.args);
  if (!verdict?.script) return undefined;
  const script = verdict.script;
  const since = past.slice(past.slice(0, end).findLastIndex(({ record }) => record.kind === 'open'), end);
  const outputs = new Map(decidedOutputs(folder, since, script).map(({ path, sha256 }) => [path, sha256]));
  return {
    request: verdict.request,
    path: submittedPath(since),
    answered: requests(past.slice(0, end).map(({ record }) => record)).length,
    script: { hash: script, text: folder.blobs.read(script) },
    outputs: [...outputs.keys()],
    copyTo: (path, to) => folder.blobs.copyTo(outputs.get(path)!, to),
  };
}

const verdictOf = (args: unknown) => (args as StepIO['close']['args']).verdict;
