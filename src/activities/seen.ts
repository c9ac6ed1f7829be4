/** What a step makes of what it saw, in its record. */
import { canonical } from '../session/canonical.js';
import type { CellObservation, VerificationObservation } from '../session/observation.js';
import { sha256 } from '../store/blobs.js';
import { plain } from '../verification/plain-text.js';

/** Digest of what was seen, without times, addresses of objects, the cell's number and what its kernel went through: equal for two cells that showed the same. */
export function signature(observation: CellObservation | VerificationObservation): string {
  return sha256(canonical({ ...(observation.kind === 'cell' ? showed(observation) : observation), ms: 0 }).replace(/\b0x[0-9a-f]{6,}/g, '0x')).slice(0, 16);
}

function showed({ restored: _restored, again: _again, caughtUp: _caughtUp, unsaved: _unsaved, ...seen }: CellObservation): CellObservation {
  return { ...seen, k: 0, error: seen.error && { ...seen.error, traceback: '' }, freshKernel: false };
}

/** The part of a step's value that says why its code is no Python; nothing where it is. */
export const unparsed = (why: string | undefined) => (why === undefined ? {} : { unparsed: plain(why, 300) });
