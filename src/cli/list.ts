import { Command } from 'commander';
import type { ConfigFlags } from '../config.js';
import { listSessions, type SessionSummary } from '../session-list.js';
import { SessionStore } from '../store/session-store.js';
import { cleanLine } from './clean.js';
import { configOf, toNumber, withConfig } from './config-options.js';
import type { CliContext } from './context.js';
import { dollars } from './progress.js';
import { attachClient } from './session-client.js';
import type { Tone } from './terminal.js';

const TONES: Partial<Record<SessionSummary['state'], Tone>> = { verified: 'good', failed: 'bad', waiting: 'strong', lost: 'bad' };
const OFFLINE = { snapshot: async () => undefined, describe: async () => undefined };

/** `list`: all sessions of the data directory, newest first; with a server their live state. */
export function listCommand(context: CliContext): Command {
  const command = new Command('list').description('list sessions, newest first').option('--json', 'print one JSON document').option('--limit <n>', 'at most so many', toNumber, 50);
  return withConfig(command).action(async (options: ConfigFlags & { json?: boolean; limit: number }) => {
    const { terminal } = context;
    const config = configOf(options, context);
    const host = await attachClient(config);
    try {
      const all = host ? await host.client.list() : await listSessions(new SessionStore(config.dataDir, config.durability), OFFLINE);
      const sessions = all.slice(0, options.limit >= 1 ? options.limit : 50);
      if (options.json) return terminal.out(JSON.stringify(sessions, null, 2));
      if (sessions.length === 0) return terminal.note(`No sessions in ${config.dataDir}: start one with nl2code run "…".`);
      for (const each of sessions) terminal.out(line(each, host !== null, context));
      if (!host && sessions.some(({ state }) => state === 'running')) terminal.note('Nobody serves the open sessions now: nl2code up goes on with them.', 'warn');
    } finally {
      await host?.close();
    }
  });
}

function line({ session, state, prompt, startedAt, steps, spent }: SessionSummary, live: boolean, { terminal }: CliContext): string {
  const shown = state === 'running' && !live ? 'open' : state;
  const when = new Date(startedAt).toISOString().slice(0, 16).replace('T', ' ');
  const start = `${session.padEnd(12)} ${terminal.paint(shown.padEnd(10), TONES[state] ?? 'plain')} ${when}  ${String(steps).padStart(3)} steps  ${dollars(spent)}  `;
  return start + cleanLine(prompt, Math.max(20, terminal.columns - 62));
}
