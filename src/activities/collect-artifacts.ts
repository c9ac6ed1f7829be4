import type { Artifact } from '../session/observation.js';
import type { SessionFolder } from '../store/session-store.js';
/** placeholder until artifact reader lands */
export function collectArtifacts(_folder: SessionFolder): Artifact[] { return []; }
