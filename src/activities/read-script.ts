import { join } from 'node:path';
import { readArtifact } from '../sandbox/artifact.js';
import { Nl2codeError } from '../session/error-table.js';
import type { SessionFolder } from '../store/session-store.js';

const MAX_SCRIPT_BYTES = 1 << 20;

/** The text of a submitted script from the session's workspace; null when there is no such file, which verification reports. */
export function readScript(folder: SessionFolder, path: string): string | null {
  try {
    return readArtifact(join(folder.sandbox, 'workspace'), path.replace(/^(?:\.\/|\/workspace\/)+/, ''), MAX_SCRIPT_BYTES).toString('utf8');
  } catch (error) {
    if (error instanceof Nl2codeError && error.code === 'bad-input') return null;
    throw error;
  }
}
