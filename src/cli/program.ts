import { Command, CommanderError } from 'commander';
import { errorTable, Nl2codeError } from '../session/error-table.js';
import { clean } from './clean.js';
import type { CliContext } from './context.js';
import { decideCommand } from './decide.js';
import { doctorCommand } from './doctor.js';
import { followUpCommand } from './follow-up.js';
import { EXIT, exitCodeOf } from './exit-code.js';
import { listCommand } from './list.js';
import { logsCommand } from './logs.js';
import { runCommand } from './run.js';
import { setupCommand } from './setup.js';
import { showCommand } from './show.js';
import { stopCommand } from './stop.js';
import { upCommand } from './up.js';
import { version } from './version.js';

/** Runs one command line and resolves with its exit code. Nothing is thrown; with `--json` a failure is one JSON document on stdout. */
export async function runProgram(argv: readonly string[], context: CliContext): Promise<number> {
  const { terminal } = context;
  const json = argv.includes('--json') && !argv.slice(0, argv.indexOf('--json')).includes('--');
  const program = new Command('nl2code').description('Plain English to production Python that has been run, checked and approved').version(version(), '-V, --version').showSuggestionAfterError();
  for (const command of [runCommand, upCommand, listCommand, showCommand, logsCommand, decideCommand, followUpCommand, stopCommand, doctorCommand, setupCommand]) program.addCommand(command(context));
  let complaint = '';
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({ writeOut: (text) => terminal.out(text), writeErr: (text) => (complaint += text) });
  }
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return context.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      // Without a command commander complains with its whole help.
      if (error.code === 'commander.help') terminal.note(complaint.trimEnd());
      else complain({ code: 'usage', message: sentence(complaint || error.message) }, json, context);
      return EXIT.usage;
    }
    complain(describe(error), json, context);
    if (context.env.NL2CODE_DEBUG && error instanceof Error) terminal.note(error.stack ?? '', 'dim');
    return exitCodeOf(error);
  }
}

function sentence(complaint: string): string {
  return complaint.replace(/^error: /, '').trim().split('\n').join(' ');
}

interface Complaint {
  code: string;
  message: string;
  idempotencyKey?: string | undefined;
}

function describe(error: unknown): Complaint {
  if (error instanceof Nl2codeError) return { code: error.code, message: error.message, idempotencyKey: error.idempotencyKey };
  return { code: 'internal', message: `Something failed that should not: ${error instanceof Error ? error.message : String(error)}. Set NL2CODE_DEBUG=1 to see where.` };
}

function complain({ code, message, idempotencyKey }: Complaint, json: boolean, { terminal }: CliContext): void {
  const said = clean(message);
  if (json) terminal.out(JSON.stringify({ error: { code, message: said, ...(Object.hasOwn(errorTable, code) ? { retryable: errorTable[code as keyof typeof errorTable].retryable } : {}), idempotencyKey } }));
  else terminal.note(`nl2code: ${said}`, 'bad');
}
