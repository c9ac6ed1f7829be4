/** The worker-side door: plugin, worker, client, configuration. The workflow-safe door is `temporal-nl2code/workflow`. */
export { Nl2codePlugin, type Nl2codePluginOptions } from './plugin.js';
export { Nl2codeClient, type Nl2codeClientOptions, type Started } from './client.js';
export { resolveConfig, type ConfigFlags } from './config/resolve-config.js';
export type { ResolvedConfig } from './config.js';
export { connectOptions } from './temporal-connection.js';
export { createWorld, type World } from './world.js';
export { SessionStore } from './store/session-store.js';
export type { Result } from './session/result.js';
export type { Followed } from './follow.js';
export type { SessionSummary } from './session-list.js';
export { Nl2codeError, errorTable, type ErrorCode } from './session/error-table.js';
