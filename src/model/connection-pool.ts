import { Nl2codeError } from '../session/error-table.js';
import { trustedWith } from './certificates.js';
import type { Proxy } from './proxy.js';
import { tunnelThrough } from './tunnel.js';

export interface PoolOptions {
  /** How long nothing may come, in milliseconds; 0 for no limit. */
  silenceMs?: number;
  proxy?: Proxy | null;
  /** File of certificates that are trusted beside Node's own. */
  caFile?: string | null;
  /** The option that names it. */
  caFrom?: string;
}

/**
 * A connection pool for Node's own `fetch`: through a proxy, with further CAs, and without its limit of 300 s on silence, since a model
 * may think for longer and our own stall limit is the one that counts. Node bundles the pool's class but exports it nowhere; it is taken
 * from the pool in use. Where Node keeps it elsewhere this is undefined, and the 300 s stand; a proxy or a CA is then refused with
 * `bad-request`, since going without would be another thing than was asked for. So is a file that holds no certificate.
 */
export function connectionPool({ silenceMs = 0, proxy = null, caFile = null, caFrom = 'model.caFile' }: PoolOptions = {}): object | undefined {
  // Looking at Response makes Node load its fetch, which sets the pool.
  const pool: unknown = typeof Response === 'function' && Reflect.get(globalThis, Symbol.for('undici.globalDispatcher.1'));
  const ca = caFile === null ? undefined : trustedWith(caFile, caFrom);
  const connect = proxy ? tunnelThrough(proxy, ca) : ca && { ca };
  const made = typeof pool === 'object' && pool !== null ? create(pool, { headersTimeout: silenceMs, bodyTimeout: silenceMs, ...(connect && { connect }) }) : undefined;
  if (!made && connect) throw new Nl2codeError('bad-request', `This Node (${process.version}) has no way to use ${proxy ? proxy.from : caFrom}: use Node 20, 22 or 24.`, { remedy: '' });
  return made;
}

function create(pool: object, options: object): object | undefined {
  try {
    return new (pool.constructor as new (options: object) => object)(options);
  } catch {
    return undefined;
  }
}
