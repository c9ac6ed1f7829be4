import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import type { ConfigFlags } from '../config.js';
import { refusal, shown } from '../admission/refusal.js';
import type { Decision } from '../session/decision.js';
import { Nl2codeError } from '../session/error-table.js';
import { cliActor } from './actor.js';
import { collect, configOf, withConfig } from './config-options.js';
import type { CliContext } from './context.js';
import { attachClient } from './session-client.js';

interface DecideOptions extends ConfigFlags {
  reason?: string;
  file?: string;
  answer?: string[];
  proposal?: string;
  json?: boolean;
}

const MAX_SCRIPT_CHARS = 1_000_000;

/** `decide`: answers what waits for a person. The actor is the operating-system user, marked as unauthenticated. */
export function decideCommand(context: CliContext): Command {
  const command = new Command('decide')
    .description('approve, edit or reject what waits: a plan, a cell or the script')
    .argument('<session>')
    .argument('<decision>', 'approve, edit or reject')
    .option('--reason <text>', 'why it is rejected: the model gets one more try')
    .option('--answer <q=text>', 'an answer to a question of the plan, for approve: q1=TEXT; repeatable', collect)
    .option('--file <path>', 'the code to run instead, or the plan as JSON, for edit')
    .option('--proposal <id>', 'decide only if this is what waits')
    .option('--json', 'print one JSON document');
  return withConfig(command).action(async (session: string, kind: string, options: DecideOptions) => {
    const decision = toDecision(kind, options, context.cwd);
    const host = await attachClient(configOf(options, context));
    if (!host) throw new Nl2codeError('temporal-unavailable', 'Nobody serves this data directory: start nl2code up, then decide again.', { remedy: '' });
    try {
      const proposal = options.proposal ?? (await host.client.snapshot(session))?.proposal?.id;
      if (proposal === undefined) {
        host.client.folder(session);
        throw new Nl2codeError('stale-decision', `Nothing waits for a decision in session ${session}.`);
      }
      await host.client.decide(session, { proposal, actor: cliActor(), decision });
      context.terminal.out(options.json ? JSON.stringify({ session, proposal, decision: decision.kind }) : `${decision.kind}: taken`);
    } finally {
      await host.close();
    }
  });
}

/** The decision a command line means. Reads the edited file. */
export function toDecision(kind: string, { reason, file, answer }: DecideOptions, cwd: string): Decision {
  if (kind !== 'approve' && answer !== undefined) throw refusal(`--answer belongs to approve, not to ${shown(kind)}: leave it out, or decide approve.`);
  if (kind !== 'edit' && file !== undefined) throw refusal(`--file belongs to edit, not to ${shown(kind)}: leave it out, or decide edit.`);
  if (kind !== 'reject' && reason !== undefined) throw refusal(`--reason belongs to reject, not to ${shown(kind)}: leave it out, or decide reject.`);
  switch (kind) {
    case 'approve':
      return { kind, ...(answer === undefined ? {} : { answers: Object.fromEntries(answer.map(answered)) }) };
    case 'reject':
      return { kind, ...(reason?.trim() ? { reason } : {}) };
    case 'edit':
      if (file === undefined) throw refusal('An edit needs the new code, or the new plan: name its file with --file.');
      return { kind, code: { text: editedCode(resolve(cwd, file), file) } };
    default:
      throw refusal(`The decision ${shown(kind)} is not known: choose approve, edit or reject.`);
  }
}

/** `q1=TEXT` as a question and its answer. */
function answered(given: string): [string, string] {
  const at = given.indexOf('=');
  if (at < 1 || !given.slice(at + 1).trim()) throw refusal(`The answer ${shown(given)} names no question and text: give it as q1=TEXT.`);
  return [given.slice(0, at).trim(), given.slice(at + 1).trim()];
}

function editedCode(path: string, given: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw refusal(`The file ${shown(given)} can't be read (${(error as NodeJS.ErrnoException).code}): correct the path.`, 'bad-request', error);
  }
  if (!text.trim()) throw refusal(`The file ${shown(given)} is empty: write the whole code, or plan, into it.`);
  if (text.length > MAX_SCRIPT_CHARS) throw refusal(`The file ${shown(given)} has ${text.length.toLocaleString('en-US')} characters, more than the limit of ${MAX_SCRIPT_CHARS.toLocaleString('en-US')}: shorten it.`);
  return text;
}
