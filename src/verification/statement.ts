import type { VerificationObservation } from '../session/observation.js';

/** What `verified` (or `unverified`) rests on, in a few words, e.g. `runs, repeats, pack checks 5/5`. Pure. */
export function statement({ checks, isolation }: Pick<VerificationObservation, 'checks' | 'isolation'>): string {
  const passed = (name: string) => checks.some(({ check, state }) => check === name && state === 'passed');
  const did = [passed('runs') ? 'runs' : 'does not run', ...(passed('runs') ? [passed('repeats') ? 'repeats' : 'does not repeat'] : [])];
  const pack = checks.filter(({ check }) => check.startsWith('pack:'));
  const answered = pack.some(({ state }) => state !== 'not-run');
  const parts = answered
    ? [...did, `pack checks ${pack.filter(({ state }) => state === 'passed').length}/${pack.length}`].join(', ')
    : `${did.join(passed('repeats') ? ' and ' : ', ')}; nobody checked the answer`;
  return isolation === 'none' ? `${parts}; isolation: none` : parts;
}
