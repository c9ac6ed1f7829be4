import type { Proposal } from './decision.js';
import { fenced, plainLine } from './markdown.js';
import type { Request } from './request.js';
import type { SessionState } from './session-state.js';
import type { StepCall, StepIO } from './step.js';
import type { Spent } from './usage.js';
import type { Verdict } from './verdict.js';

/** The server refuses a start whose summary is larger than 400 bytes; an encrypting codec needs some of them. */
const SUMMARY_BYTES = 240;
const SUMMARY_CHARS = 100;
const PROMPT_CHARS = 2000;
const NAME_CHARS = 80;
const SHOWN_NAMES = 10;
const REASON_CHARS = 300;

/** What a list of workflows shows of a session: the beginning of its prompt, in Markdown. Pure. */
export function startSummary({ prompt }: Request): string {
  for (let chars = SUMMARY_CHARS; ; chars -= 10) {
    const summary = plainLine(prompt, chars);
    if (chars === 10 || new TextEncoder().encode(JSON.stringify(summary)).length <= SUMMARY_BYTES) return summary;
  }
}

/** What the page of a workflow says of its request, in Markdown. Pure. */
export function startDetails(session: string, request: Request): string {
  const { strategy, model, pack, inputs, outputs, tools = [], approval, budget } = request;
  const cost = budget.maxCostUsd === null ? '' : `, $${budget.maxCostUsd}`;
  const facts = [
    ['Strategy', strategy],
    ['Model', plainLine(model, NAME_CHARS)],
    ['Pack', pack === null ? '' : plainLine(pack, NAME_CHARS)],
    ['Inputs', names(inputs.map(({ name }) => name))],
    ['Outputs', names(outputs.map(({ path }) => path))],
    ['May call', names(tools)],
    ['Approval', approval.policy],
    ['Budget', `${budget.maxSteps} steps${cost}${budget.deadline === null ? '' : `, until ${plainLine(budget.deadline, NAME_CHARS)}`}`],
  ];
  const lines = facts.filter(([, value]) => value).map(([name, value]) => `- **${name}** ${value}`);
  return [fenced(request.prompt, PROMPT_CHARS), lines.join('\n'), fenced(`nl2code show ${session}\nnl2code logs -f ${session}`, 2 * PROMPT_CHARS)].join('\n\n');
}

/** What a run is doing. */
export type Doing = { kind: 'step'; call: Pick<StepCall, 'kind' | 'seq' | 'args'> } | { kind: 'waiting'; proposal: Proposal } | { kind: 'over'; verdict: Verdict };

/** What the page of a run says of it now, in Markdown. A run that continues another has lost what was said at the start. Pure. */
export function currentDetails(state: SessionState, doing: Doing): string {
  const { request, queue, stepsThisRequest, spent } = state;
  const [what, ...more] = standing(state, doing);
  const behind = queue.length === 0 ? [] : [`${queue.length === 1 ? '1 request waits' : `${queue.length} requests wait`} behind this one.`];
  const so = `${stepsThisRequest} of at most ${request.budget.maxSteps} steps · ${money(spent)}`;
  return [`${what} · ${so}`, ...more, ...behind, plainLine(request.prompt, REASON_CHARS)].join('\n\n');
}

function standing({ session, stopping }: SessionState, doing: Doing): [string, ...string[]] {
  switch (doing.kind) {
    case 'step':
      return [`**${stopping ? 'Stopping' : 'Working'}** · ${stepSummary(doing.call)}`];
    case 'waiting': {
      const { what, problem } = doing.proposal;
      const commands = fenced(`nl2code show ${session} --code\nnl2code decide ${session} approve`, PROMPT_CHARS);
      return [`**Waiting for a decision** on the ${what}`, ...(problem ? [plainLine(problem, REASON_CHARS)] : []), commands];
    }
    case 'over': {
      const { status, reason } = doing.verdict;
      return [`**${status[0]!.toUpperCase()}${status.slice(1)}**${reason ? ` · ${plainLine(reason, REASON_CHARS)}` : ''}`];
    }
  }
}

/** A step in a few words, with the number that `nl2code show` and the trace give it. Pure. */
export function stepSummary({ kind, seq, args }: Pick<StepCall, 'kind' | 'seq' | 'args'>): string {
  return `step ${seq}: ${kind === 'execute' ? DOES[(args as StepIO['execute']['args']).target] : kind}`;
}

const DOES: Record<StepIO['execute']['args']['target'], string> = { inspect: 'inspect', cell: 'cell', script: 'verify' };

function money({ costUsd, unpriced = 0 }: Spent): string {
  return `$${costUsd.toFixed(3)}${unpriced > 0 ? ` and ${unpriced} calls of unknown price` : ''}`;
}

function names(all: readonly string[]): string {
  const shown = all.slice(0, SHOWN_NAMES).map((name) => plainLine(name, NAME_CHARS));
  return [...shown, ...(all.length > SHOWN_NAMES ? [`and ${all.length - SHOWN_NAMES} more`] : [])].join(', ');
}
