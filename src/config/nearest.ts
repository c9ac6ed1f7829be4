/** The known word closest to a mistyped one (edits, case ignored), or null when none is close. Pure. */
export function nearest(word: string, known: readonly string[]): string | null {
  const typed = word.toLowerCase().slice(0, 64);
  let best: { word: string; edits: number } | null = null;
  for (const candidate of known) {
    const edits = distance(typed, candidate.toLowerCase());
    if (!best || edits < best.edits) best = { word: candidate, edits };
  }
  return best && best.edits <= Math.max(2, Math.floor(best.word.length / 3)) ? best.word : null;
}

/** The known words in the order of their closeness to a mistyped one; equally close ones by the alphabet. Pure. */
export function byNearness(word: string, known: readonly string[]): string[] {
  const typed = word.toLowerCase().slice(0, 64);
  const ranked = known.map((candidate): [string, number] => [candidate, distance(typed, candidate.toLowerCase().slice(0, 64))]);
  return ranked.sort(([a, near], [b, far]) => near - far || (a < b ? -1 : 1)).map(([candidate]) => candidate);
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length]!;
}
