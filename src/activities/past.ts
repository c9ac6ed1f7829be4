import { Nl2codeError } from '../session/error-table.js';
import { decidedVerification } from '../session/decided-verification.js';
import type { Hash } from '../session/json.js';
import type { Artifact, CellObservation, VerificationObservation } from '../session/observation.js';
import type { Request } from '../session/request.js';
import type { StepIO } from '../session/step.js';
import type { Verdict } from '../session/verdict.js';
import type { Link } from '../store/chain.js';
import type { SessionFolder } from '../store/session-store.js';

/** The request that is open at the end of `past`, and its records. */
export function requestOf(past: readonly Link[]): { request: Request; since: readonly Link[] } {
  const at = past.findLastIndex((link) => link.record.kind === 'open');
  if (at < 0) throw new Nl2codeError('store-corrupt', 'The session chain has no open request.');
  return { request: (past[at]!.record.args as unknown as StepIO['open']['args']).request, since: past.slice(at) };
}

/** All verdicts of the session, oldest first. */
export function verdicts(past: readonly Link[]): Verdict[] {
  return past.filter((link) => link.record.kind === 'close').map((link) => (link.record.args as unknown as StepIO['close']['args']).verdict);
}

/** The path a script was submitted by last; `script.py` for one that was handed in as text. */
export function submittedPath(links: readonly Link[]): string {
  const code = links.map(({ record }) => (record.kind === 'execute' ? (record.args as unknown as StepIO['execute']['args']).code : null)).findLast((given) => given && 'path' in given);
  return code && 'path' in code ? code.path.replace(/^(?:\.\/|\/workspace\/)+/, '') : 'script.py';
}

/** What an execute record saw. */
export function observationOf(folder: SessionFolder, link: Link): CellObservation | VerificationObservation | undefined {
  const ref = link.record.refs.observation;
  return ref && link.record.kind === 'execute' ? (JSON.parse(folder.blobs.text(ref)) as CellObservation | VerificationObservation) : undefined;
}

/** The outputs that the verification of the decided script has kept. */
export function decidedOutputs(folder: SessionFolder, since: readonly Link[], script: Hash | undefined): Artifact[] {
  const ref = decidedVerification(since.map(({ record }) => record), script)?.refs.observation;
  return ref ? (JSON.parse(folder.blobs.text(ref)) as VerificationObservation).outputs : [];
}
