import { cut } from './clean.js';

export type Tone = 'plain' | 'dim' | 'good' | 'bad' | 'strong' | 'warn';

const CODES: Record<Exclude<Tone, 'plain'>, string> = { dim: '2', good: '32', bad: '31', strong: '1', warn: '33' };

/** Where a command prints. Answers go to stdout; progress, questions and complaints to stderr. Callers clean hostile text first. */
export interface Terminal {
  /** Somebody sits there: stdin and stderr are a terminal. */
  readonly interactive: boolean;
  readonly columns: number;
  out(text: string): void;
  /** One or more whole lines on stderr. */
  note(text: string, tone?: Tone): void;
  /** The line that is rewritten in place; null removes it. Nothing where stderr is no terminal. */
  live(text: string | null): void;
  /** Colours for stdout. */
  paint(text: string, tone: Tone): string;
}

interface Stream {
  isTTY?: boolean;
  columns?: number;
  write(text: string): unknown;
}

export interface TerminalStreams {
  stdin: { isTTY?: boolean };
  stdout: Stream;
  stderr: Stream;
  env: Record<string, string | undefined>;
}

/** A terminal over a process's streams. Colours only on a terminal without NO_COLOR. */
export function createTerminal({ stdin, stdout, stderr, env }: TerminalStreams = process): Terminal {
  const plain = Boolean(env.NO_COLOR) || env.TERM === 'dumb';
  const live = Boolean(stderr.isTTY) && env.TERM !== 'dumb';
  // A pseudo-terminal may say 0.
  const columns = () => stderr.columns || stdout.columns || (stderr.isTTY ? 80 : 120);
  let shown = false;
  const paint = (text: string, tone: Tone, stream: Stream) => (tone === 'plain' || plain || !stream.isTTY ? text : `\u001b[${CODES[tone]}m${text}\u001b[0m`);
  const wipe = () => {
    if (shown) stderr.write('\r\u001b[K');
    shown = false;
  };
  return {
    interactive: Boolean(stdin.isTTY) && Boolean(stderr.isTTY),
    get columns() {
      return columns();
    },
    out: (text) => {
      wipe();
      stdout.write(text.endsWith('\n') ? text : `${text}\n`);
    },
    note: (text, tone = 'plain') => {
      wipe();
      stderr.write(`${paint(text, tone, stderr)}\n`);
    },
    live: (text) => {
      if (!live) return;
      wipe();
      if (text === null) return;
      stderr.write(paint(cut(text, columns() - 1), 'dim', stderr));
      shown = true;
    },
    paint: (text, tone) => paint(text, tone, stdout),
  };
}
