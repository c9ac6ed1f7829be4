/** Text without control, bidirectional and zero-width characters (new line and tab stay), cut to `chars`. Pure. */
export function plain(text: string, chars: number): string {
  const clean = text.replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, (c) => (c === '\n' || c === '\t' ? c : '\u{fffd}'));
  return clean.length > chars ? `${clean.slice(0, chars - 1)}…` : clean;
}
