import { canonical } from '../../src/session/canonical.js';
import type { Link } from '../../src/store/chain.js';

/** What was decided in a chain, without times, hashes of parents and what depends on which worker ran a step: two runs of one session must share it. */
export function decided(links: readonly Link[]): string[] {
  return links.map(({ record }) => canonical({ kind: record.kind, ask: record.ask, args: record.args, facts: record.facts, value: record.value, sent: record.sent?.sha }));
}
