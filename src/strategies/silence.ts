import type { Json } from '../session/json.js';
import type { Steps, Turn } from './strategy.js';

/** A reply that holds nothing to act on is told to the model; the second in a row ends the request. `missing` says what both lacked. */
export function silence<S extends { [key: string]: Json; silent: number }>(state: S, steps: Steps, missing: string): Turn<S> {
  if (state.silent > 0) return { outcome: { status: 'stopped', reason: `two replies in a row held no ${missing}` } };
  steps.note({ kind: 'no-call' });
  return { state: { ...state, silent: state.silent + 1 } };
}
