import { loadClientConnectConfig, type ClientConnectConfig } from '@temporalio/envconfig';
import type { ResolvedConfig } from './config.js';
import { Nl2codeError } from './session/error-table.js';

/** What both `Connection.connect` and `NativeConnection.connect` take. */
export type ConnectOptions = Pick<ClientConnectConfig['connectionOptions'], 'address' | 'tls' | 'apiKey' | 'metadata'>;

type Environment = Record<string, string | undefined>;

/** How to reach the Temporal server: the embedded one at `embeddedAddress`, else what `@temporalio/envconfig` finds. Client and worker side; may read certificates and the profile file. */
export function connectOptions(config: Pick<ResolvedConfig, 'temporal'>, embeddedAddress?: string, env: Environment = process.env): ConnectOptions {
  if (config.temporal.mode === 'embedded') {
    if (!embeddedAddress) throw new Error('the embedded server has no address yet');
    return { address: embeddedAddress };
  }
  const { address, tls, apiKey, metadata } = load(config.temporal.profile, env).connectionOptions;
  return { address: address ?? 'localhost:7233', ...(tls === undefined ? {} : { tls }), ...(apiKey === undefined ? {} : { apiKey }), ...(metadata === undefined ? {} : { metadata }) };
}

/** The namespace that the connection profile names, or null. */
export function profileNamespace(profile: string | null, env: Environment): string | null {
  return load(profile, env).namespace || null;
}

function load(profile: string | null, env: Environment): ClientConnectConfig {
  const overrideEnvVars = Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
  try {
    return loadClientConnectConfig({ ...(profile === null ? {} : { profile }), overrideEnvVars });
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0]!.replace(/\.$/, '') : 'unknown error';
    throw new Nl2codeError('bad-request', `The Temporal connection profile ${JSON.stringify(profile ?? 'default')} can't be loaded (${why}): correct TEMPORAL_CONFIG_FILE, TEMPORAL_PROFILE or the TEMPORAL_TLS_* variables.`, { cause: error, remedy: '' });
  }
}
