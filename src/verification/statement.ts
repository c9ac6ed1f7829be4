import type { VerificationObservation } from '../session/observation.js';

/** What `verified` (or `unverified`) rests on, in a few words, e.g. `runs, repeats, request checks 4/4, pack checks 6/6`. Pure. */
export function statement({ checks, isolation }: Pick<VerificationObservation, 'checks' | 'isolation'>): string {
  const passed = (name: string) => checks.some(({ check, state }) => check === name && state === 'passed');
  const did = [passed('runs') ? 'runs' : 'does not run', ...(passed('runs') ? [passed('repeats') ? 'repeats' : 'does not repeat'] : [])];
  const answered = (['request', 'pack'] as const).flatMap((of) => {
    const those = checks.filter(({ check }) => check.startsWith(`${of}:`));
    return those.some(({ state }) => state !== 'not-run') ? [`${of} checks ${those.filter(({ state }) => state === 'passed').length}/${those.length}`] : [];
  });
  const parts = answered.length > 0 ? [...did, ...answered].join(', ') : `${did.join(passed('repeats') ? ' and ' : ', ')}; nobody checked the answer`;
  return isolation === 'none' ? `${parts}; isolation: none` : parts;
}
