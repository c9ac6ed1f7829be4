import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { testConfig } from '../rig/in-process.js';

// Compiled, as it finds its workflow bundle beside itself.
const compiled = new URL('../../dist/worker.js', import.meta.url).href;

test('a worker that is told to stop while it starts does not stay', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'nl2code-worker-'));
  const { runWorker } = (await import(compiled)) as typeof import('../../src/worker.js');
  const stop = new AbortController();
  const started = runWorker({ config: testConfig(dir, { taskQueue: `stopped-${process.pid}` }), address: inject('temporalAddress'), modelUrl: 'http://127.0.0.1:9/v1' }, stop.signal, () => undefined);
  stop.abort();
  await expect(started).resolves.toBeUndefined();
  rmSync(dir, { recursive: true, force: true });
}, 30_000);
