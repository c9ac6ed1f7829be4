import { Command } from 'commander';
import type { ConfigFlags } from '../config.js';
import { Nl2codeError } from '../session/error-table.js';
import { SessionStore } from '../store/session-store.js';
import { cliActor } from './actor.js';
import { configOf, withConfig } from './config-options.js';
import type { CliContext } from './context.js';
import { attachClient } from './session-client.js';
import { folderOf } from './show.js';

/** `stop`: ends the request that runs, and what waits behind it, with what they have. */
export function stopCommand(context: CliContext): Command {
  const command = new Command('stop').description('end what a session is doing; what was done is kept').argument('<session>').option('--json', 'print one JSON document');
  return withConfig(command).action(async (session: string, options: ConfigFlags & { json?: boolean }) => {
    const config = configOf(options, context);
    folderOf(new SessionStore(config.dataDir, config.durability), session);
    const host = await attachClient(config);
    if (!host) throw new Nl2codeError('temporal-unavailable', 'Nobody serves this data directory, so nothing runs: nl2code up goes on with open sessions.', { remedy: '' });
    try {
      await host.client.stop(session, cliActor());
      context.terminal.out(options.json ? JSON.stringify({ session, stop: 'asked' }) : `asked to stop: nl2code logs -f ${session} shows its end`);
    } finally {
      await host.close();
    }
  });
}
