#!/usr/bin/env node
import { tooOld } from './config/oldest.js';

// A reader that leaves early (`| head`) ends the command quietly.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
const old = tooOld('Node', process.versions.node);
// Only a new enough Node can load the rest.
process.exitCode = old === null ? await command() : refuse(`Node ${old} (this one is ${process.execPath}).`);
// stdin may still be open when nobody reads it any more.
process.stdin.unref?.();

async function command(): Promise<number> {
  const [{ runProgram }, { createTerminal }] = await Promise.all([import('./cli/program.js'), import('./cli/terminal.js')]);
  return runProgram(process.argv.slice(2), { terminal: createTerminal(), env: process.env, cwd: process.cwd(), stdin: process.stdin, exitCode: 0 });
}

function refuse(message: string): number {
  if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify({ error: { code: 'not-set-up', message, retryable: false } })}\n`);
  else process.stderr.write(`nl2code: ${message}\n`);
  return 64;
}
