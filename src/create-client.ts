import type { Client } from '@temporalio/client';
import { createAdmission, type RequestOptions } from './admission/admit.js';
import { Nl2codeClient } from './client.js';
import { resolveConfig, type ConfigFlags } from './config/resolve-config.js';
import { SessionStore } from './store/session-store.js';

/** Options that stand over the environment and `nl2code.config.yaml`. Server and namespace are those of the Temporal client. */
export type Nl2codeClientFlags = Omit<ConfigFlags, 'namespace' | 'temporal' | 'temporalPort' | 'uiPort'>;

/**
 * The client of the sessions that Workers with the plugin serve: give it the data directory and the task queue they have. Runs in client
 * programs and in activities, on a host that sees the data directory; opens nothing and asks nobody until it is used. Throws
 * `bad-request` for wrong options.
 */
export function createNl2codeClient(client: Client, flags: Nl2codeClientFlags = {}): Nl2codeClient<RequestOptions> {
  const config = resolveConfig({ flags, env: process.env, cwd: process.cwd() });
  return new Nl2codeClient({ client, store: new SessionStore(config.dataDir, config.durability), taskQueue: config.taskQueue, admission: createAdmission(config) });
}
