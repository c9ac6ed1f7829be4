/**
 * A connection pool for Node's own `fetch` without its limit of 300 s on silence, or with another one: a model may
 * think for longer,
 * and our own stall limit is the one that counts. Node bundles the pool's class but exports it nowhere; it is taken
 * from the pool
 * in use, so that a proxy set up there stays. Undefined where Node keeps it elsewhere: then the 300 s stand.
 */
export function patientDispatcher(silenceMs = 0): object | undefined {
  // Looking at Response makes Node load its fetch, which sets the pool.
  const pool: unknown =
    typeof Response === 'function' && Reflect.get(globalThis, Symbol.for('undici.globalDispatcher.1'));
  if (typeof pool !== 'object' || pool === null) return undefined;
  const Pool = pool.constructor as new (options: { headersTimeout: number; bodyTimeout: number }) => object;
  try {
    return new Pool({ headersTimeout: silenceMs, bodyTimeout: silenceMs });
  } catch {
    return undefined;
  }
}
