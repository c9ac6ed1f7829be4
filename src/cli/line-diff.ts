import { structuredPatch } from 'diff';

export interface DiffLine {
  sign: ' ' | '-' | '+';
  text: string;
}

const MAX_LINES = 4000;
const GAP: DiffLine = { sign: ' ', text: '…' };

/** The difference of two texts by lines, with `context` equal lines around each change; a gap is a line `…`. Pure. */
export function lineDiff(before: string, after: string, context = 2): DiffLine[] {
  const [a, b] = [before.split('\n').length, after.split('\n').length];
  if (a > MAX_LINES || b > MAX_LINES) return [{ sign: ' ', text: `… too long to compare: ${a} lines before, ${b} after` }];
  const { hunks } = structuredPatch('', '', `${before}\n`, `${after}\n`, '', '', { context });
  const lines: DiffLine[] = [];
  let next = 1;
  for (const { oldStart, oldLines, lines: changed } of hunks) {
    if (oldStart > next) lines.push(GAP);
    for (const line of changed) lines.push({ sign: line[0] as DiffLine['sign'], text: line.slice(1) });
    next = oldStart + oldLines;
  }
  if (hunks.length > 0 && next <= a) lines.push(GAP);
  return lines;
}
