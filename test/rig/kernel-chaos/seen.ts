import type { SessionCells } from './session-cells.js';

/** What can be seen of one cell. */
export interface SeenCell {
  ended: string;
  stdout: { text: string };
  stderr: { text: string };
  result: { text: Record<string, { text: string }> } | null;
  error: { type: string; message: string; traceback: string } | null;
}

/** What a session showed and did, cell by cell, the look at the inputs first. */
export interface Seen {
  cells: SeenCell[];
  effects: string[];
}

/** Sentences about everything in which `seen` is not what it should be; empty when nothing is. */
export function differences(plan: SessionCells, calm: Seen, seen: Seen): string[] {
  const found: string[] = [];
  if (seen.cells.length !== calm.cells.length) found.push(`${seen.cells.length} cells instead of ${calm.cells.length}`);
  for (const [n, cell] of calm.cells.entries()) {
    const other = seen.cells[n];
    // The first is the look at the inputs, which has no variables.
    if (!other || n === 0) continue;
    const [want, have] = [shown(cell), shown(other)];
    if (want !== have) found.push(`cell ${n - 1} (${plan.cells[n - 1]!.slice(0, 80).replaceAll('\n', '; ')}): ${apart(want, have)}`);
  }
  if (JSON.stringify(seen.effects) !== JSON.stringify(plan.effects)) found.push(`effects ${JSON.stringify(seen.effects)} instead of ${JSON.stringify(plan.effects)}`);
  return found;
}

const shown = ({ ended, stdout, stderr, result, error }: SeenCell) => JSON.stringify({ ended, stdout: stdout.text, stderr: stderr.text, result: result?.text['text/plain']?.text ?? null, error });

/** The first place where two texts part. */
function apart(want: string, have: string): string {
  let at = 0;
  while (at < want.length && want[at] === have[at]) at += 1;
  const from = Math.max(0, at - 60);
  return `expected …${want.slice(from, at + 300)}… but saw …${have.slice(from, at + 300)}…`;
}
