import { Command } from 'commander';
import { checkPrompt } from '../admission/check-request.js';
import { Nl2codeError } from '../session/error-table.js';
import { SessionStore } from '../store/session-store.js';
import type { CliContext } from './context.js';
import { followToEnd } from './follow-to-end.js';
import { readRequestLine } from './request-line.js';
import { sameModel } from './run.js';
import { requestOptions, withRunOptions, type RunOptions } from './run-options.js';
import { attachClient } from './session-client.js';
import { folderOf } from './show.js';

/** `follow-up`: one request more in a session, followed to its end like `run`. */
export function followUpCommand(context: CliContext): Command {
  const command = new Command('follow-up')
    .description('go on with a session: its variables, files and conversation stay; what is left out is as before')
    .argument('<session>')
    .argument('<prompt>', 'what is to be done now; - reads it from stdin');
  return withRunOptions(command, { following: true }).action((session: string, prompt: string, options: RunOptions) => followUp(session, prompt, options, context));
}

async function followUp(session: string, prompt: string, options: RunOptions, context: CliContext): Promise<void> {
  const { terminal } = context;
  const { config, out, text } = await readRequestLine(prompt, options, context);
  // Before anything starts.
  folderOf(new SessionStore(config.dataDir, config.durability), session);
  checkPrompt(text, config.admission.maxPromptChars);
  const host = await attachClient(config, { embed: !options.detach });
  if (!host) throw new Nl2codeError('temporal-unavailable', 'Nobody serves this data directory: start nl2code up first, or leave --detach out.', { remedy: '' });
  await sameModel(host, config);
  try {
    const { request, before, from } = await host.client.followUp(session, requestOptions(text, options));
    if (options.detach) return terminal.out(options.json ? JSON.stringify({ session, request: request.id, before }) : session);
    if (before > 0) terminal.note(`waits for ${before === 1 ? 'the request that runs' : `${before} requests`} of session ${session}`, 'dim');
    await followToEnd({ host, session, request: request.id, from, config, context, out, json: options.json === true, interactive: prompt !== '-' });
  } finally {
    await host.close();
  }
}
