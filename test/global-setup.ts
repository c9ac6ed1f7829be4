import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { findTemporalExecutable } from '../src/embedded/temporal-executable.js';
import { prepareTemporalServer } from '../src/embedded/temporal-server.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** host:port of the suite's one Temporal server, set up as `up` sets up its own. */
    temporalAddress: string;
  }
}

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** One Temporal server for all files of a project: `inject('temporalAddress')`. Tests keep apart by task queue and workflow id. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = mkdtempSync(join(tmpdir(), 'nl2code-suite-'));
  const executable = findTemporalExecutable(join(root, '.runtime'));
  const server = await prepareTemporalServer({ executable, dataDir, port: 0, uiPort: null, namespace: 'default', durability: 'process', onEvent: () => undefined });
  await server.process.start();
  project.provide('temporalAddress', server.address);
  return async () => {
    await server.process.stop();
    rmSync(dataDir, { recursive: true, force: true });
  };
}
