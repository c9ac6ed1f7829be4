import type { Json } from '../session/json.js';
import type { Ending } from '../session/step.js';
import type { Steps, Turn } from './strategy.js';

/** A reply that holds nothing to act on is told to the model; the second in a row ends the request. `missing` says what both lacked, `ended` why the last one may have. */
export function silence<S extends { [key: string]: Json; silent: number }>(state: S, steps: Steps, missing: string, ended?: Ending): Turn<S> {
  if (state.silent > 0) return { outcome: { status: 'stopped', reason: `two replies in a row held no ${missing}${ended ? `; the last one ${endings[ended]}` : ''}` } };
  steps.note({ kind: 'no-call' });
  return { state: { ...state, silent: state.silent + 1 } };
}

/** What a person is told of a reply that ended early. */
export const endings: Record<Ending, string> = {
  length: 'was cut at its limit of tokens, see model.maxOutputTokens',
  filter: "was withheld by the endpoint's content filter",
  refusal: 'is a refusal by the model',
};
