import type { ResolvedConfig } from '../config.js';
import { attachHost } from '../embedded/attach.js';
import { connectOptions } from '../temporal-connection.js';
import { attributesOff, EMBEDDED_RETENTION_MS, readNamespace, type NamespaceReport } from '../temporal-namespace.js';
import type { Check } from './checks.js';

const CONNECT_MS = 5_000;
const DAY_MS = 86_400_000;

/** What Temporal keeps for us: the retention of the namespace, and whether its lists can filter sessions. Asks the server that is there; starts none. */
export async function checkNamespace(config: ResolvedConfig): Promise<Check> {
  const name = 'namespace';
  const lease = await attachHost(config, { embed: false }).catch(() => null);
  if (!lease) return { name, ok: true, detail: `${config.namespace}, when nl2code up serves it: finished runs are kept for ${days(EMBEDDED_RETENTION_MS)}` };
  try {
    const { Connection } = await import('@temporalio/client');
    const options = connectOptions(config, lease.address);
    try {
      const connection = await Connection.connect({ ...options, connectTimeout: CONNECT_MS });
      try {
        return { name, ok: true, detail: namespaceText(lease.namespace, await readNamespace(connection, lease.namespace)) };
      } finally {
        await connection.close();
      }
    } catch (error) {
      return { name, ok: false, detail: why(error, lease.namespace, options.address ?? '') };
    }
  } finally {
    await lease.release();
  }
}

/** What a namespace keeps and knows, as one sentence. Pure. */
export function namespaceText(namespace: string, { retentionMs, missing }: NamespaceReport): string {
  const kept = retentionMs === null ? 'does not say how long finished runs are kept' : `finished runs are kept for ${days(retentionMs)}, sessions for good`;
  return `${namespace}: ${kept}; ${missing.length === 0 ? 'search attributes are registered' : attributesOff(missing, namespace)}`;
}

function why(error: unknown, namespace: string, address: string): string {
  const { code, cause } = error as { code?: number; cause?: { code?: number } };
  if ((code ?? cause?.code) === 5) return `the server at ${address} has no namespace ${namespace}: create it with temporal operator namespace create --namespace ${namespace} --retention 30d`;
  return `the Temporal server at ${address} does not answer: start it, or correct TEMPORAL_ADDRESS or TEMPORAL_PROFILE`;
}

const days = (ms: number): string => (ms === DAY_MS ? '1 day' : `${Math.round((ms / DAY_MS) * 10) / 10} days`);
