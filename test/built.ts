import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildOnce } from '../scripts/build.mjs';

/** Processes that tests start run from `dist`, so it is brought up to date before the first test. */
export async function setup(): Promise<void> {
  const problem = await buildOnce(dirname(dirname(fileURLToPath(import.meta.url))));
  if (problem !== null) throw new Error(problem);
}
