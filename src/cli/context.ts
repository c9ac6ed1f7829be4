import type { Readable } from 'node:stream';
import type { Terminal } from './terminal.js';

/** What a command may touch of its process. Commands return their exit code by setting it here. */
export interface CliContext {
  terminal: Terminal;
  env: Record<string, string | undefined>;
  cwd: string;
  stdin: Readable;
  exitCode: number;
}
