import { requests } from './read-result.js';
import type { SessionFolder } from './session-store.js';

/** Names of the tools of the host that code of a session's newest request may call. */
export function allowedTools(folder: SessionFolder): readonly string[] {
  return requests(folder.chain.walk(folder.chain.head()).map(({ record }) => record)).at(-1)?.tools ?? [];
}
