import type { ResolvedConfig } from '../config.js';
import { Nl2codeError } from '../session/error-table.js';
import type { SessionFolder } from '../store/session-store.js';
import type { CliContext } from './context.js';
import { EXIT } from './exit-code.js';
import { followRun } from './follow-run.js';
import { resultText } from './result-text.js';
import { saveResult } from './save-result.js';
import type { SessionClient } from './session-client.js';

export interface FollowToEndOptions {
  host: SessionClient;
  session: string;
  /** Id of the request to follow. */
  request: string;
  /** Byte offset in the event log to begin at. */
  from?: number;
  config: ResolvedConfig;
  context: CliContext;
  /** Absolute folder for what the request leaves, or null. */
  out: string | null;
  json: boolean;
  /** Whether people may be asked when this is a terminal. */
  interactive: boolean;
}

/** Follows one request, prints its result and sets the exit code. */
export async function followToEnd({ host, session, request, from, config, context, out, json, interactive }: FollowToEndOptions): Promise<void> {
  const { terminal } = context;
  const asks = terminal.interactive && interactive && !json;
  const end = await followRun({ client: host.client, session, request, ...(from === undefined ? {} : { from }), terminal, env: context.env, interactive: asks });
  if (end.kind !== 'end') return leave(end.kind, session, host, context, json);
  if (!end.result) throw new Nl2codeError('sandbox-lost', `Session ${session} has no result: ${end.why}.`, { remedy: `See nl2code show ${session}.` });
  context.exitCode = EXIT[end.result.status];
  if (host.lease.owned || end.result.status === 'stopped') await endSandbox(config, host.client.folder(session));
  const files = out === null ? [] : saveResult(end.result, host.client.folder(session), out);
  if (json) return terminal.out(JSON.stringify({ ...end.result, files }, null, 2));
  terminal.out(`\n${resultText(end.result, files, terminal)}`);
  terminal.out(`  ${'next'.padEnd(10)}nl2code follow-up ${session} "…", or nl2code show ${session} ${files.length > 0 ? '--trace' : '--out FOLDER'}`);
}

/** Nobody comes back to this kernel: what is stopped, or was served by this command alone, leaves no process to its lease. */
export async function endSandbox(config: ResolvedConfig, { sandbox }: SessionFolder): Promise<void> {
  const { createBackend } = await import('../world.js');
  const backend = createBackend({ ...config, sandbox: { ...config.sandbox, pool: 0 } });
  await backend.destroy({ backend: backend.name, id: 'ended', folder: sandbox });
  await backend.close();
}

function leave(kind: 'detached' | 'left', session: string, host: SessionClient, context: CliContext, json: boolean): void {
  const { terminal } = context;
  context.exitCode = kind === 'detached' ? 0 : EXIT.stopped;
  if (json) return terminal.out(JSON.stringify({ session, status: 'open' }));
  terminal.note(host.lease.owned ? `Session ${session} is kept; nobody serves it now: nl2code up goes on with it.` : `Session ${session} goes on: nl2code logs -f ${session}`);
}
