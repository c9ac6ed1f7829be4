/** Longest line that is waited for. */
const MAX_LINE = 8_000;

/** Text that arrives in pieces, handed on line by line, so that no value is cut by the border of two pieces. */
export class LiveText {
  readonly #waiting = new Map<string, string>();

  constructor(private readonly emit: (stream: 'stdout' | 'stderr', text: string) => void) {}

  take(stream: 'stdout' | 'stderr', text: string): void {
    const all = (this.#waiting.get(stream) ?? '') + text;
    const end = all.length > MAX_LINE ? Math.max(all.lastIndexOf(' '), all.lastIndexOf('\n')) + 1 || all.length : all.lastIndexOf('\n') + 1;
    this.#waiting.set(stream, all.slice(end));
    if (end > 0) this.emit(stream, all.slice(0, end));
  }

  /** Hands on what is left. */
  end(): void {
    for (const stream of ['stdout', 'stderr'] as const) {
      const rest = this.#waiting.get(stream);
      this.#waiting.delete(stream);
      if (rest) this.emit(stream, rest);
    }
  }
}
