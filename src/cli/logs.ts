import { Command } from 'commander';
import type { ConfigFlags } from '../config.js';
import { followSession } from '../follow.js';
import { refusal, shown } from '../admission/refusal.js';
import type { SessionEvent } from '../session/event.js';
import { SessionStore } from '../store/session-store.js';
import { clean } from './clean.js';
import { configOf, toNumber, withConfig } from './config-options.js';
import type { CliContext } from './context.js';
import { attachClient } from './session-client.js';
import { folderOf } from './show.js';

interface LogsOptions extends ConfigFlags {
  follow?: boolean;
  from?: number;
  json?: boolean;
}

/** `logs`: the live events of a session as lines; the last line on stderr says where to resume. */
export function logsCommand(context: CliContext): Command {
  const command = new Command('logs')
    .description('print the events of a session')
    .argument('<session>')
    .option('-f, --follow', 'go on until the session ends')
    .option('--from <offset>', 'start at this byte offset', toNumber)
    .option('--json', 'print events as JSON lines with the offset to resume at');
  return withConfig(command).action((session: string, options: LogsOptions) => logs(session, options, context));
}

async function logs(session: string, { follow, from = 0, json, ...flags }: LogsOptions, context: CliContext): Promise<void> {
  const { terminal } = context;
  if (!Number.isSafeInteger(from) || from < 0) throw refusal(`--from is ${shown(from)}, which is no byte offset: give a whole number from 0 that an earlier logs printed.`);
  const config = configOf(flags, context);
  const folder = folderOf(new SessionStore(config.dataDir, config.durability), session);
  const print = (event: SessionEvent, next: number) => {
    const text = json ? JSON.stringify({ ...event, next }) : eventText(event);
    if (text) terminal.out(text);
  };
  if (!follow) {
    const { events, next, ends } = folder.readEvents(from);
    events.forEach((event, i) => print(event, ends[i]!));
    return json ? undefined : terminal.note(`more with --from ${next}`, 'dim');
  }
  const stop = new AbortController();
  const leave = () => stop.abort();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, leave);
  const host = await attachClient(config);
  let at = from;
  try {
    const describe = async () => host?.client.describe(session);
    for await (const followed of followSession(folder, session, { from, signal: stop.signal, snapshot: async () => undefined, describe })) {
      if (followed.kind === 'event') print(followed.event, (at = followed.next));
      if (followed.kind === 'end' && !json) terminal.note(followed.result ? `ended ${followed.result.status}` : (followed.why ?? 'ended'), 'dim');
    }
    if (!json) terminal.note(`more with --from ${at}`, 'dim');
  } finally {
    await host?.close();
  }
}

/** An event as a line with its text; model and sandbox text keeps its own lines, cleaned. Pure. */
export function eventText(event: SessionEvent): string {
  const at = new Date(event.at).toISOString().slice(11, 23);
  const attempt = event.attempt > 1 ? ` attempt ${event.attempt}` : '';
  const data = typeof event.data === 'object' && event.data !== null && !Array.isArray(event.data) ? event.data : {};
  const { text, ...rest } = data;
  const more = Object.keys(rest).length > 0 ? ` ${clean(JSON.stringify(rest))}` : '';
  const said = typeof text === 'string' && text ? `\n${clean(text).trimEnd().replace(/^/gm, '    ')}` : '';
  return `${at} ${event.seq} ${clean(event.step ?? '')}${attempt} ${clean(event.kind)}${more}${said}`;
}
