export interface DiffLine {
  sign: ' ' | '-' | '+';
  text: string;
}

const MAX_LINES = 4000;

/** The difference of two texts by lines, with `context` equal lines around each change; a gap is a line `…`. Pure. */
export function lineDiff(before: string, after: string, context = 2): DiffLine[] {
  const [a, b] = [before.split('\n'), after.split('\n')];
  if (a.length > MAX_LINES || b.length > MAX_LINES) return [{ sign: ' ', text: `… too long to compare: ${a.length} lines before, ${b.length} after` }];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const middle = changed(a.slice(start, a.length - end), b.slice(start, b.length - end));
  const same = (lines: string[]): DiffLine[] => lines.map((text) => ({ sign: ' ', text }));
  return around([...same(a.slice(0, start)), ...middle, ...same(a.slice(a.length - end))], context);
}

/** Longest common subsequence of the part that differs. */
function changed(a: string[], b: string[]): DiffLine[] {
  const width = b.length + 1;
  const longest = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      longest[i * width + j] = a[i] === b[j] ? longest[(i + 1) * width + j + 1]! + 1 : Math.max(longest[(i + 1) * width + j]!, longest[i * width + j + 1]!);
    }
  }
  const lines: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({ sign: ' ', text: a[i++]! });
      j++;
    } else if (i < a.length && (j >= b.length || longest[(i + 1) * width + j]! >= longest[i * width + j + 1]!)) lines.push({ sign: '-', text: a[i++]! });
    else lines.push({ sign: '+', text: b[j++]! });
  }
  return lines;
}

function around(lines: DiffLine[], context: number): DiffLine[] {
  const near = (at: number) => lines.slice(Math.max(0, at - context), at + context + 1).some(({ sign }) => sign !== ' ');
  const kept: DiffLine[] = [];
  let gap = false;
  lines.forEach((line, at) => {
    if (near(at)) kept.push(line);
    else if (!gap) kept.push({ sign: ' ', text: '…' });
    gap = !near(at);
  });
  return kept.some(({ sign }) => sign !== ' ') ? kept : [];
}
