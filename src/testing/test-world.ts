import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { createAdmission, type RequestOptions } from '../admission/admit.js';
import { Nl2codeClient } from '../client.js';
import type { ResolvedConfig } from '../config.js';
import { resolveConfig, type ConfigFlags } from '../config/resolve-config.js';
import { createWorld, type World } from '../world.js';
import { kernelDouble, type KernelDoubleOptions } from './kernel-double.js';
import { verifierDouble, type VerifierDoubleOptions } from './verifier-double.js';

export interface TestWorldOptions extends KernelDoubleOptions, VerifierDoubleOptions {
  /** Who answers as the model, e.g. a `scriptedModel`. */
  model: { baseUrl: string };
  /**
   * `double` (when missing): cells and scripts do not run, `cell`, `outputs` and `findings` say what comes of them; for tests of what your
   * workflow does with a verdict. `real`: they run in the sandboxes of this machine, which needs `npx nl2code setup`.
   */
  sandbox?: 'double' | 'real';
  /** Further options, such as `packs`. Nothing else is taken from the environment or a configuration file. */
  config?: Omit<ConfigFlags, 'config' | 'dataDir' | 'model' | 'baseUrl'>;
}

/** The outside of a worker under test, in a folder of its own: give it to `new Nl2codePlugin({ world })`. */
export interface TestWorld extends World {
  /** Absolute temporary folder that holds the sessions; `close` removes it. */
  dir: string;
  config: ResolvedConfig;
  /** A client of the sessions of this world. Inputs may come from the working directory, `dir`, and the folders of `allow`. */
  client(temporal: Client, taskQueue: string, options?: { allow?: readonly string[] }): Nl2codeClient<RequestOptions>;
  /** Ends the sandboxes and removes the folder. Stop the workers first. */
  close(): Promise<void>;
}

/** A configuration that keeps everything in `dir` and asks nothing of the environment. Pure but for reading the disk. */
export function isolatedConfig(dir: string, flags: ConfigFlags = {}): ResolvedConfig {
  return resolveConfig({ flags: { pool: 0, ...flags, dataDir: dir, model: 'scripted' }, env: { HOME: dir }, cwd: dir });
}

/** Makes the outside of a worker under test. Where the sandbox is a double, results say `isolation: none` and that nothing ran. */
export function testWorld({ model, sandbox = 'double', config: flags = {}, ...doubles }: TestWorldOptions): TestWorld {
  const dir = mkdtempSync(join(tmpdir(), 'nl2code-test-'));
  const config = isolatedConfig(dir, sandbox === 'double' ? { ...flags, isolation: 'none' } : flags);
  const real = createWorld(config, model.baseUrl);
  const world = sandbox === 'double' ? { ...real, kernels: kernelDouble(doubles), verifier: verifierDouble(doubles), ready: () => undefined } : real;
  return {
    ...world,
    dir,
    config,
    client(temporal, taskQueue, { allow = [] } = {}) {
      const admission = createAdmission({ ...config, admission: { ...config.admission, allow: [...config.admission.allow, dir, ...allow] } }, { cwd: process.cwd(), endpoint: world.endpoint });
      return new Nl2codeClient({ client: temporal, store: world.store, taskQueue, admission });
    },
    async close() {
      for (const name of world.store.list()) await world.kernels.end({ id: `s-${name}`, folder: world.store.at(name).sandbox });
      await real.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
