import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Nl2codeError } from '../session/error-table.js';

/** The first executable file of that name on PATH, or null. Host side. */
export function findOnPath(name: string, path: string | undefined = process.env.PATH): string | null {
  for (const folder of (path ?? '').split(delimiter)) if (folder !== '' && isExecutable(join(folder, name))) return join(folder, name);
  return null;
}

/** The Temporal CLI: TEMPORAL_CLI_PATH, `temporal` on PATH, what set-up installed. Host side; installs nothing; throws `not-set-up`. */
export function findTemporalExecutable(runtimeDir: string, env: Record<string, string | undefined> = process.env): string {
  const named = env.TEMPORAL_CLI_PATH;
  if (named) {
    if (isExecutable(named)) return named;
    throw new Nl2codeError('not-set-up', `TEMPORAL_CLI_PATH names ${named}, which can't be run.`, { remedy: 'Correct it, or unset it to use what set-up installed.' });
  }
  const installed = join(runtimeDir, 'temporal', 'temporal');
  const found = findOnPath('temporal', env.PATH) ?? (isExecutable(installed) ? installed : null);
  if (found === null) throw new Nl2codeError('not-set-up', `No Temporal dev server was found on PATH or at ${installed}.`);
  return found;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
