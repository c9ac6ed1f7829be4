import { resolve } from 'node:path';
import { Command } from 'commander';
import type { ConfigFlags } from '../config.js';
import { checkFormat } from '../embedded/data-dir.js';
import type { Proposal } from '../session/decision.js';
import type { Changes } from '../session/changes.js';
import { Nl2codeError } from '../session/error-table.js';
import type { Plan } from '../session/plan.js';
import type { SessionFolder } from '../store/session-store.js';
import { SessionStore } from '../store/session-store.js';
import { allowedTools } from '../store/allowed-tools.js';
import { readChanges } from '../store/read-changes.js';
import { readResult } from '../store/read-result.js';
import { sentRequests } from '../store/sent.js';
import { traceLines } from '../store/trace.js';
import { changeLines } from '../verification/changes-text.js';
import { clean, cleanLine } from './clean.js';
import { configOf, withConfig } from './config-options.js';
import type { CliContext } from './context.js';
import { keptText, readKeptState } from './kept-state.js';
import { openCheckpointStore } from '../store/open-checkpoint-store.js';
import { planLines } from './plan-text.js';
import { dollars, seconds } from './progress.js';
import { readRemoteState, storedText } from './remote-state.js';
import { resultText } from './result-text.js';
import { saveResult } from './save-result.js';
import { sentText } from './sent-text.js';
import { attachClient } from './session-client.js';
import { readStepDetail } from './step-detail.js';
import { mayCall } from './tool-text.js';

interface ShowOptions extends ConfigFlags {
  json?: boolean;
  code?: boolean;
  trace?: boolean;
  sent?: boolean;
  out?: string;
}

/** `show`: one session from the store; what waits for a decision needs the server. */
export function showCommand(context: CliContext): Command {
  const command = new Command('show')
    .description('show a session: its steps and how it ended')
    .argument('<session>')
    .option('--json', 'print one JSON document')
    .option('--code', 'print the code or plan that waits for a decision, else the final script')
    .option('--trace', 'print the trace as JSON lines')
    .option('--sent', 'print every request that went to the model, in order')
    .option('--out <folder>', 'write script, outputs and trace there');
  return withConfig(command).action((session: string, options: ShowOptions) => show(session, options, context));
}

async function show(session: string, options: ShowOptions, context: CliContext): Promise<void> {
  const { terminal, cwd } = context;
  const config = configOf(options, context);
  const folder = folderOf(new SessionStore(config.dataDir, config.durability), session);
  // The trace is the user's own data for other programs: it leaves as it was recorded.
  if (options.trace) return terminal.out(traceLines(folder).join(''));
  if (options.sent) {
    const requests = sentRequests(folder);
    return terminal.out(options.json ? JSON.stringify(requests, null, 2) : sentText(requests));
  }
  const result = readResult(folder, session);
  const waiting = result ? null : await waitingCode(session, context, options);
  if (options.code) {
    const code = waiting?.code ?? result?.script;
    if (code == null) throw new Nl2codeError('not-found', `Session ${session} has no script ${result ? `: it ended ${result.status}` : 'yet: nothing waits for a decision'}.`, { remedy: `See nl2code show ${session}.` });
    return terminal.out(process.stdout.isTTY ? clean(code) : code);
  }
  const files = result && options.out ? saveResult(result, folder, resolve(cwd, options.out)) : [];
  const kept = readKeptState(folder);
  const elsewhere = openCheckpointStore(config);
  const remote = kept && elsewhere && (await readRemoteState(folder, elsewhere));
  const kernel = kept && { ...kept, ...(remote ? { remote } : {}) };
  if (options.json) return terminal.out(JSON.stringify(result ? { ...result, files, kernel } : { session, status: 'open', proposal: waiting?.proposal.id ?? null, waits: waiting && { what: waiting.proposal.what, problem: waiting.proposal.problem ?? null, changes: waitingChanges(folder, waiting.proposal) ?? null, tools: waitingTools(folder, waiting.proposal) }, kernel }, null, 2));
  printSteps(folder, context);
  if (kept) terminal.out(`    kernel   ${keptText(kept, remote?.head ?? -1)}`);
  if (kept && remote) terminal.out([`    stored   ${clean(storedText(kept.cells, remote))}`, ...(remote.problem ? [`             ${clean(remote.problem)}`] : [])].join('\n'));
  if (result) terminal.out(`\n${resultText(result, files, terminal)}`);
  else if (waiting) terminal.out(waitingText(session, waiting, waitingChanges(folder, waiting.proposal), waitingTools(folder, waiting.proposal)));
  else terminal.out('\nopen');
}

/** The session's folder. Throws `not-found`. */
export function folderOf(store: SessionStore, session: string): SessionFolder {
  checkFormat(store.root);
  if (!store.has(session)) throw new Nl2codeError('not-found', `There is no session ${JSON.stringify(clean(session))} in ${store.root}.`);
  return store.at(session);
}

interface Waiting {
  proposal: Proposal;
  /** The code, or the plan as JSON that can be edited. */
  code: string;
}

function waitingText(session: string, { proposal: { id, what, problem, questions }, code }: Waiting, changes: Changes | undefined, tools: readonly string[]): string {
  const plan = what === 'plan' ? ['', ...planLines(JSON.parse(code) as Plan).map((line) => clean(line))] : [];
  return [
    ...plan,
    ...(changes ? ['', 'Changed against the last verified request', ...changeLines(changes).map((line) => `  ${cleanLine(line, 1000)}`)] : []),
    '',
    `The ${what} waits for a decision: ${id}`,
    ...(tools.length > 0 ? [`  ${mayCall(tools)}`] : []),
    ...(problem ? [`  again   ${clean(problem)}`] : []),
    `  look    nl2code show ${session} --code`,
    `  decide  nl2code decide ${session} approve${questions ? ' --answer q1=TEXT' : ''} | edit --file FILE | reject --reason TEXT`,
  ].join('\n');
}

/** What the code that waits may call; the final script calls nothing. */
function waitingTools(folder: SessionFolder, { what }: Proposal): readonly string[] {
  return what === 'script' ? [] : allowedTools(folder);
}

/** What the script that waits would change, where it is a follow-up's. */
function waitingChanges(folder: SessionFolder, { what }: Proposal): Changes | undefined {
  return what === 'script' ? readChanges(folder) : undefined;
}

async function waitingCode(session: string, context: CliContext, options: ShowOptions): Promise<Waiting | null> {
  const host = await attachClient(configOf(options, context));
  if (!host) return null;
  try {
    const proposal = (await host.client.snapshot(session))?.proposal;
    if (!proposal) return null;
    const text = host.client.text(session, proposal.code);
    return { proposal, code: proposal.what === 'plan' ? `${JSON.stringify(JSON.parse(text), null, 2)}\n` : text };
  } finally {
    await host.close();
  }
}

function printSteps(folder: SessionFolder, { terminal }: CliContext): void {
  for (const { record } of folder.chain.walk(folder.chain.head())) {
    if (record.kind === 'open') terminal.out(`Request  ${clean((record.args as unknown as { request: { prompt: string } }).request.prompt)}`);
    if (record.kind === 'open' || record.kind === 'close') continue;
    const detail = readStepDetail(folder, record.seq);
    const name = detail?.target === 'script' ? 'verify' : (detail?.target ?? record.kind);
    const mark = detail?.target === 'script' ? '' : detail?.ok === true ? ' ✓' : detail?.ok === false ? ' ✗' : '';
    const cost = record.spent.calls > 0 ? `  ${dollars(record.spent)}` : '';
    const [first = '', ...rest] = detail?.lines.map((line) => clean(line).split('\n')[0]!) ?? [];
    terminal.out([`${String(record.seq).padStart(3)} ${name.padEnd(8)} ${first}${mark}  ${seconds(record.ms)}${cost}`, ...rest.map((line) => `             ${line}`)].join('\n'));
  }
}
