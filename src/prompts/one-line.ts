const LINE_CHARS = 160;

/** Text as one line of bounded length. Pure. */
export function oneLine(text: string, chars: number = LINE_CHARS): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > chars ? `${line.slice(0, chars - 1)}…` : line;
}
