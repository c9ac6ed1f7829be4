import { Command } from 'commander';
import { admitChecked, checkRequest, createAdmission, type RequestOptions } from '../admission/admit.js';
import { refusal } from '../admission/refusal.js';
import type { ResolvedConfig } from '../config.js';
import { checkPlayable } from '../model/scripted/control.js';
import { Nl2codeError } from '../session/error-table.js';
import type { CliContext } from './context.js';
import { followToEnd } from './follow-to-end.js';
import { readRequestLine } from './request-line.js';
import { requestOptions, withRunOptions, type RunOptions } from './run-options.js';
import { attachClient, type SessionClient } from './session-client.js';

/** `run`: one request, followed to its end. Exit codes: 0 verified, 1 failed, 2 unverified, 3 rejected, 4 stopped, 64 refused. */
export function runCommand(context: CliContext): Command {
  const command = new Command('run').description('turn a request in plain English into a verified script').argument('<prompt>', 'what is to be done; - reads it from stdin');
  return withRunOptions(command).action((prompt: string, options: RunOptions) => run(prompt, options, context));
}

async function run(prompt: string, options: RunOptions, context: CliContext): Promise<void> {
  const { terminal, cwd } = context;
  const { config, out, text } = await readRequestLine(prompt, options, context);
  const given = requestOptions(text, options);
  const checked = await checkRequest(given, config, { cwd });
  const host = await attach(given, config, options, async (folder, id) => admitChecked(checked, config, folder, id), checked.request.isolation);
  try {
    // The scripted model plays what is written and nothing else: better told now than after the first step.
    if (host.lease.modelUrl !== null) await checkPlayable(host.lease.modelUrl, { prompt: text, strategy: checked.request.strategy });
    const { session, request, fresh } = await host.client.start(given);
    if (options.detach) return terminal.out(options.json ? JSON.stringify({ session }) : session);
    terminal.note(fresh ? `session ${session}` : `session ${session} was started before with this key`, 'dim');
    await followToEnd({ host, session, request: request.id, config, context, out, json: options.json === true, interactive: prompt !== '-' });
  } finally {
    await host.close();
  }
}

/** Holds on to who serves the data directory; `--detach` needs somebody who stays. */
async function attach(given: RequestOptions, config: ResolvedConfig, options: RunOptions, admit: (folder: Parameters<typeof admitChecked>[2], id: string) => ReturnType<typeof admitChecked>, isolation: string): Promise<SessionClient> {
  if (!options.detach && config.temporal.mode === 'embedded') await checkSandbox(config, isolation);
  const host = await attachClient(config, { embed: !options.detach, admission: { ...createAdmission(config), admit: (asked, folder, id) => (asked === given ? admit(folder, id) : Promise.reject(new Error('another request was admitted'))) } });
  if (host) return sameModel(host, config);
  throw refusal('--detach needs somebody who goes on with the session, and nobody serves this data directory: start nl2code up first, or leave --detach out.');
}

/** The worker that serves asks its own endpoint: another one here would be asked nothing. */
export async function sameModel(host: SessionClient, { model, dataDir }: ResolvedConfig): Promise<SessionClient> {
  const { hostPid, modelUrl } = host.lease;
  const theirs = modelUrl === null ? 'a model endpoint' : 'the scripted model';
  const ours = model.baseUrl === null ? 'the scripted model' : new URL(model.baseUrl).host;
  if (hostPid === null || (modelUrl !== null) === (model.baseUrl === null)) return host;
  await host.close();
  throw refusal(`${dataDir} is served by process ${hostPid} with ${theirs}, not ${ours}: stop that one, give it the same environment, or use another --data-dir.`, 'host-locked');
}

/** Generated code never runs in less isolation than was asked for, so a machine without it is refused before anything starts. */
async function checkSandbox(config: ResolvedConfig, isolation: string): Promise<void> {
  const { createBackend } = await import('../world.js');
  const backend = createBackend({ ...config, sandbox: { ...config.sandbox, pool: 0, isolation: isolation as 'bubblewrap' | 'none' } });
  try {
    const probe = await backend.probe();
    if (!probe.available) throw new Nl2codeError('sandbox-unavailable', probe.detail);
  } finally {
    await backend.close();
  }
}
