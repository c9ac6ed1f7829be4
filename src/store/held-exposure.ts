import { DEFAULT_EXPOSURE, exposureOf, heldBy, type Exposure } from '../session/exposure.js';
import type { Observation } from '../session/observation.js';
import { requests } from './read-result.js';
import type { SessionFolder } from './session-store.js';

/** The loosest exposure that a session's observations were stored under; what its last request asks for when there are none yet. */
export function heldExposure(folder: SessionFolder): Exposure {
  const records = folder.chain.walk(folder.chain.head()).map(({ record }) => record);
  const seen = records.filter(({ kind, refs }) => kind === 'execute' && refs.observation).map(({ refs }) => JSON.parse(folder.blobs.text(refs.observation!)) as Observation);
  const last = requests(records).at(-1);
  return heldBy(seen, last ? exposureOf(last) : DEFAULT_EXPOSURE);
}
