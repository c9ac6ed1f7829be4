import type { Loop } from '../session/facts.js';
import type { Taken } from '../session/session-state.js';

/** How many cells back are looked at; the state carries no more. */
export const LOOKED_BACK = 8;

/**
 * Whether the last cells go round in circles, oldest first: `repeat` and `error` are the same code with the same outcome three times, or
 * twice where it fails; `alternation` is two cells in turn, twice; `no-progress` is eight failures in a row. Pure.
 */
export function loopIn(recent: readonly Taken[]): Loop | undefined {
  const [a, b, c, d] = recent.slice(-4).reverse();
  const last = recent.slice(-LOOKED_BACK);
  if (a && b && same(a, b)) {
    if (!a.ok) return 'error';
    if (c && same(b, c)) return 'repeat';
  }
  if (a && b && c && d && same(a, c) && same(b, d) && !same(a, b)) return 'alternation';
  return last.length === LOOKED_BACK && last.every(({ ok }) => !ok) ? 'no-progress' : undefined;
}

const same = (one: Taken, other: Taken): boolean => one.code === other.code && one.sig === other.sig;
