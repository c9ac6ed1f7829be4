/** The worker-side door: plugin, worker, client, configuration. The workflow-safe door is `temporal-nl2code/workflow`, the one for tests `temporal-nl2code/testing`. */
export { Nl2codePlugin, type Nl2codePluginFlags, type Nl2codePluginOptions } from './plugin.js';
export { createNl2codeClient, type Nl2codeClientFlags } from './create-client.js';
export { Nl2codeClient, type Admission, type FollowedUp, type Nl2codeClientOptions, type Started } from './client.js';
export type { RequestOptions } from './admission/request-options.js';
export { resolveConfig, type ConfigFlags } from './config/resolve-config.js';
export type { ResolvedConfig } from './config.js';
export { connectOptions } from './temporal-connection.js';
export { createWorld, type World } from './world.js';
export { SessionStore } from './store/session-store.js';
export type { Decision, Proposal } from './session/decision.js';
export type { Artifact } from './session/observation.js';
export type { Request } from './session/request.js';
export type { Result } from './session/result.js';
export type { Status, Verdict } from './session/verdict.js';
export type { Followed } from './follow.js';
export type { SessionFilter, SessionState, SessionSummary } from './session-list.js';
export { toActivityFailure } from './model/classify-error.js';
export { Nl2codeError, errorTable, type ErrorCode } from './session/error-table.js';
