import { join } from 'node:path';
import { listWorkspace, openArtifact } from '../sandbox/artifact.js';
import { Nl2codeError } from '../session/error-table.js';
import type { Artifact } from '../session/observation.js';
import type { SessionFolder } from '../store/session-store.js';

const MAX_FILES = 200;
const MAX_FILE_BYTES = 256 << 20;
const MAX_TOTAL_BYTES = 1 << 30;

/** Keeps the files a session left in its workspace as blobs. What does not fit the caps, or changed under our eyes, is left out. */
export function collectArtifacts(folder: SessionFolder): Artifact[] {
  const root = join(folder.sandbox, 'workspace');
  const kept: Artifact[] = [];
  let room = MAX_TOTAL_BYTES;
  for (const { path, bytes } of listWorkspace(root, { maxFiles: MAX_FILES, maxBytes: MAX_FILE_BYTES }).files) {
    if (bytes > room) continue;
    try {
      const { fd, close } = openArtifact(root, path, Math.min(room, MAX_FILE_BYTES));
      try {
        const { hash, bytes: stored } = folder.blobs.putFrom(fd, Math.min(room, MAX_FILE_BYTES));
        room -= stored;
        kept.push({ path, bytes: stored, sha256: hash, role: /\.(png|jpe?g|svg)$/i.test(path) ? 'plot' : 'file' });
      } finally {
        close();
      }
    } catch (error) {
      if (!(error instanceof Nl2codeError && error.code === 'bad-input')) throw error;
    }
  }
  return kept;
}
