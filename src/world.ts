import { join } from 'node:path';
import type { StepWorld } from './activities/world.js';
import type { ResolvedConfig } from './config.js';
import { packageRoot } from './config/package-root.js';
import { createPackReader } from './context/pack-cache.js';
import { createKernels } from './kernel/kernels.js';
import { createOpenAiEndpoint } from './model/openai-endpoint.js';
import { priceOf } from './model/prices.js';
import { Nl2codeError } from './session/error-table.js';
import type { SandboxBackend } from './sandbox/backend.js';
import { Checkpoints } from './sandbox/checkpoints.js';
import { reapSandboxes } from './sandbox/reaper.js';
import { createProcessBackend, type ProcessBackend } from './sandbox/process.js';
import { openCheckpointStore } from './store/open-checkpoint-store.js';
import { SessionStore } from './store/session-store.js';
import { createVerifier } from './verification/verify.js';

/** The real outside of a worker process: endpoint, sandboxes, store. `close` ends the sandboxes kept ready; sessions' own live on under their lease. */
export interface World extends StepWorld {
  backend: SandboxBackend;
  close(): Promise<void>;
}

/** Builds the outside that a configuration describes. `modelUrl` is the scripted model's address where no endpoint is configured. */
export function createWorld(config: ResolvedConfig, modelUrl?: string | null): World {
  const baseUrl = config.model.baseUrl ?? modelUrl;
  if (!baseUrl) throw new Nl2codeError('bad-request', 'No model endpoint is configured: set OPENAI_BASE_URL and OPENAI_API_KEY, or start with nl2code up, which brings the scripted model.', { remedy: '' });
  const backend = createBackend(config);
  const kernels = createKernels({ backend });
  const store = new SessionStore(config.dataDir, config.durability);
  const elsewhere = openCheckpointStore(config);
  const checkpoints = elsewhere && new Checkpoints({ store: elsewhere, warn });
  return {
    store,
    endpoint: createOpenAiEndpoint({ ...config.model, baseUrl, scripted: config.model.baseUrl === null }),
    priceOf: (model) => priceOf(model, config.model.prices),
    maxOutputTokens: config.model.maxOutputTokens,
    kernels,
    verifier: createVerifier({ kernels }),
    pack: createPackReader(config.packDirs),
    ...(checkpoints ? { checkpoints } : {}),
    leaseMs: config.sandbox.leaseMs,
    maxExposure: config.exposure.max,
    backend,
    ready() {
      // What dead workers left of sandboxes that have ended; living ones belong to their sessions.
      void reapSandboxes(store.list().map((name) => store.at(name).sandbox), () => true);
      backend.keepReady();
    },
    async close() {
      await checkpoints?.settled(SHIPPED_MS);
      await kernels.close();
      await backend.close();
    },
  };
}

/** How long a worker that stops goes on shipping states. */
const SHIPPED_MS = 10_000;

/** Into the worker's log. */
function warn(sentence: string): void {
  void import('@temporalio/worker').then(({ Runtime }) => Runtime.instance().logger.warn(`nl2code: ${sentence}`));
}

/** The sandbox backend a configuration names. */
export function createBackend(config: ResolvedConfig): ProcessBackend {
  return createProcessBackend({
    runtimeDir: config.runtimeDir,
    guestDir: join(packageRoot(), 'guest'),
    poolDir: join(config.dataDir, 'pool'),
    pool: config.sandbox.pool,
    isolation: config.sandbox.isolation,
  });
}
