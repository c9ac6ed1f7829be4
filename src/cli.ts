#!/usr/bin/env node
import { runProgram } from './cli/program.js';
import { createTerminal } from './cli/terminal.js';

// A reader that leaves early (`| head`) ends the command quietly.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
process.exitCode = await runProgram(process.argv.slice(2), { terminal: createTerminal(), env: process.env, cwd: process.cwd(), stdin: process.stdin, exitCode: 0 });
// stdin may still be open when nobody reads it any more.
process.stdin.unref?.();
