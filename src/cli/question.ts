import { createInterface } from 'node:readline/promises';

/** Asks one line on the terminal (stderr). Resolves null at end of input, when `signal` aborts, or on Ctrl-C, after telling `onInterrupt`. */
export async function ask(text: string, { signal, onInterrupt }: { signal?: AbortSignal; onInterrupt?: () => void } = {}): Promise<string | null> {
  if (signal?.aborted) return null;
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  let answered = false;
  try {
    return await new Promise<string | null>((resolve) => {
      const none = () => {
        // The line of the question stands unanswered.
        if (!answered) process.stderr.write('\n');
        answered = true;
        resolve(null);
      };
      lines.on('close', none);
      lines.on('SIGINT', () => {
        none();
        onInterrupt?.();
      });
      signal?.addEventListener('abort', none, { once: true });
      lines.question(text).then((answer) => {
        answered = true;
        resolve(answer.trim());
      }, none);
    });
  } finally {
    lines.close();
  }
}
