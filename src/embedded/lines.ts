import type { Readable } from 'node:stream';

/** Nothing we wait for on a line is longer. */
const MAX_LINE_CHARS = 1024 * 1024;

/** Calls back for every whole line. Goes on reading to the end, so that the writer never blocks; ignores errors of the stream. */
export function onLine(stream: Readable, callback: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('error', () => undefined);
  stream.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!.slice(0, MAX_LINE_CHARS);
    for (const line of lines) callback(line);
  });
}
