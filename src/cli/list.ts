import { Command } from 'commander';
import type { ConfigFlags, ResolvedConfig } from '../config.js';
import { Nl2codeError } from '../session/error-table.js';
import { STRATEGIES } from '../session/request.js';
import { listSessions, SESSION_STATES, type SessionSummary } from '../session-list.js';
import { SessionStore } from '../store/session-store.js';
import { cleanLine } from './clean.js';
import { collect, configOf, toNumber, withConfig } from './config-options.js';
import type { CliContext } from './context.js';
import { listFilter, type FilterOptions } from './list-filter.js';
import { dollars } from './progress.js';
import { attachClient, type SessionClient } from './session-client.js';
import type { Tone } from './terminal.js';

const TONES: Partial<Record<SessionSummary['state'], Tone>> = { verified: 'good', failed: 'bad', waiting: 'strong', lost: 'bad' };

/** `list`: the sessions of the data directory, newest request first; with a server their live state. */
export function listCommand(context: CliContext): Command {
  const command = new Command('list')
    .description('list sessions, newest first')
    .option('--status <name>', SESSION_STATES.join(', '))
    .option('--strategy <name>', STRATEGIES.join(', '))
    .option('--label <key=value>', 'a label of the session, or a key alone; repeatable', collect)
    .option('--since <time>', 'began since: 90m, 12h or 7d back, or a date')
    .option('--limit <n>', 'at most so many', toNumber, 50)
    .option('--json', 'print one JSON document');
  return withConfig(command).action((options: ConfigFlags & FilterOptions & { json?: boolean }) => list(options, context));
}

async function list(options: ConfigFlags & FilterOptions & { json?: boolean }, context: CliContext): Promise<void> {
  const { terminal } = context;
  const filter = listFilter(options, Date.now());
  const config = configOf(options, context);
  const { host, why } = await whoKnows(config);
  try {
    // One more than is shown tells whether there are more.
    const asked = { ...filter, limit: filter.limit! + 1 };
    const found = host ? await host.client.list(asked) : await listSessions(new SessionStore(config.dataDir, config.durability), null, asked);
    const sessions = found.slice(0, filter.limit);
    if (options.json) return terminal.out(JSON.stringify(sessions, null, 2));
    if (sessions.length === 0) return terminal.note(Object.keys(filter).length > 1 ? `No session in ${config.dataDir} is as asked for.` : `No sessions in ${config.dataDir}: start one with nl2code run "…".`);
    for (const each of sessions) terminal.out(line(each, context));
    if (found.length > sessions.length) terminal.note(`… and more: --limit ${filter.limit! * 2} shows them.`, 'dim');
    if (sessions.some(({ state }) => state === 'open')) terminal.note(why, 'warn');
  } finally {
    await host?.close();
  }
}

/** Who can say how open sessions stand, or why nobody can: a list of what is stored needs no server. */
async function whoKnows(config: ResolvedConfig): Promise<{ host: SessionClient | null; why: string }> {
  try {
    const host = await attachClient(config);
    return { host, why: host ? 'The Temporal server did not say where open sessions stand.' : 'Nobody serves the open sessions now: nl2code up goes on with them.' };
  } catch (error) {
    if (!(error instanceof Nl2codeError) || error.code !== 'temporal-unavailable') throw error;
    return { host: null, why: `${error.message} Where open sessions stand is not known.` };
  }
}

function line({ session, state, prompt, startedAt, steps, spent }: SessionSummary, { terminal }: CliContext): string {
  const when = new Date(startedAt).toISOString().slice(0, 16).replace('T', ' ');
  const start = `${session.padEnd(12)} ${terminal.paint(state.padEnd(10), TONES[state] ?? 'plain')} ${when}  ${String(steps).padStart(3)} steps  ${dollars(spent)}  `;
  return start + cleanLine(prompt, Math.max(20, terminal.columns - 62));
}
