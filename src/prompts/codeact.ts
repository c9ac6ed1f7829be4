import type { ModelReply, RawCall, ToolSpec } from '../model/endpoint.js';
import type { Hash, Json } from '../session/json.js';
import type { Call } from '../session/step.js';
import { callArguments, type AskSpec, type AskWords } from './ask.js';
import { callsOf, REPLY_ID, textCallRules } from './calls.js';
import { pythonBlock } from './code-blocks.js';
import { argumentsProblem } from './ending.js';
import { planAsk, planRules, planTool } from './plan-ask.js';
import { reviewAsk, reviewTool } from './review-ask.js';
import { runCell } from './run-cell.js';
import { sandboxRules, scriptRules } from './script-rules.js';
import { pathCall, submitPath } from './submit.js';

const words: AskWords = {
  goOn: 'Go on: call run_cell, or submit when the script is written and has run.',
  noCall: 'Your reply held no tool call, so nothing ran. Call run_cell to run code, or submit to hand in the script.',
  repair: 'Repair it, run it once, and submit again.',
};

/** How a live Python session is worked in, with tools that have these names. */
export const liveSessionRules = (tools: readonly ToolSpec[]): string => `- Call run_cell to run a cell. Variables stay between cells, and the value of the last expression is shown, as in a notebook. Look at what you get before you go on; correct yourself when it surprises you.
- Use the columns and files as the inspection shows them, whatever the request calls them.
- When the result is right, write the whole script to a file with a cell that starts with %%writefile NAME.py, run it once, and then call submit. Only submit ends the work.
- Follow the company's conventions where they are given, and prefer its libraries.
- Sets have no stable order: print sorted(...).
- Open files, connections, threads and generators are not saved between cells: finish with them in the cell that makes them.
- ${textCallRules(tools)} One fenced block of Python in a reply without a call is run as a cell.`;

/** Turns raw calls into the workflow's small ones; what can't be understood carries a sentence for the model. */
function toCall(raw: RawCall, store: (code: string) => Hash, reply: ModelReply): Call {
  const base = { id: raw.id, tool: raw.name.slice(0, 64) };
  const args = callArguments(raw.arguments);
  if (!args) return { ...base, problem: argumentsProblem(reply) };
  if (raw.name === runCell.name) {
    if (typeof args.code !== 'string' || !args.code.trim()) return { ...base, problem: 'run_cell needs "code", a non-empty string.' };
    return { ...base, code: store(args.code) };
  }
  if (raw.name === submitPath.name) return pathCall(base, args);
  if (raw.name === planTool.name) return { ...base, problem: 'The plan stands: go on with run_cell, or submit.' };
  if (raw.name === reviewTool.name) return { ...base, problem: 'There is nothing to review yet: submit first.' };
  return { ...base, problem: `There is no tool ${JSON.stringify(raw.name.slice(0, 64))}; use run_cell or submit.` };
}

/** The three asks of a live session: a plan, one turn, the review at the end. */
export function liveSession(system: string, tools: ToolSpec[], beforePlan = ''): { plan: AskSpec; turn: AskSpec; review: AskSpec } {
  return {
    plan: planAsk({ system, tools, words, calling: 'cell' }, `${beforePlan}First the plan: call plan once, with two to six steps and the real column names. Do not write code yet.`),
    turn: {
      system,
      tools,
      calling: 'cell',
      instruction: null,
      words,
      parse: (reply, store): Json => {
        const calls = callsOf(reply).map((raw) => toCall(raw, store, reply));
        const block = calls.length === 0 ? pythonBlock(reply.content) : undefined;
        return { calls: block === undefined ? calls : [{ id: REPLY_ID, tool: runCell.name, code: store(block) }] } as unknown as Json;
      },
    },
    review: reviewAsk({ system, tools, words, calling: 'cell' }),
  };
}

const tools = [planTool, runCell, submitPath, reviewTool];

export const codeact = liveSession(
  `nl2code strategy: codeact
You turn an analyst's request into one production Python script, by working in a live Python session.

How you work
${liveSessionRules(tools)}

${planRules}

${sandboxRules}

${scriptRules}`,
  tools,
);
