import type { RawCall } from '../model/endpoint.js';
import type { Hash, Json } from '../session/json.js';
import type { Call } from '../session/step.js';
import { callArguments, tool, type AskSpec } from './ask.js';
import { REVIEW_TOOL, reviewOf } from './replies.js';
import { sandboxRules, scriptRules } from './script-rules.js';

const system = `nl2code strategy: codeact
You turn an analyst's request into one production Python script, by working in a live Python session.

How you work
- Call run_cell to run a cell. Variables stay between cells, and the value of the last expression is shown, as in a notebook. Look at what you get before you go on; correct yourself when it surprises you.
- Use the columns and files as the inspection shows them, whatever the request calls them.
- When the result is right, write the whole script to a file with a cell that starts with %%writefile NAME.py, run it once, and then call submit. Only submit ends the work.
- Follow the company's conventions where they are given, and prefer its libraries.
- Sets have no stable order: print sorted(...).

${sandboxRules}

${scriptRules}`;

const runCell = tool('run_cell', 'Run one cell of Python in the session. Variables stay; the value of the last expression and what is printed come back. %%writefile NAME as the first line writes the rest to a file.', { code: { type: 'string', description: 'The source of the cell.' } });
const submit = tool('submit', 'Hand in the final script. It is verified in fresh sandboxes; if that finds faults you see them and may repair and submit again.', {
  path: { type: 'string', description: 'Path of the script, relative to the current directory.' },
  outputs: { type: 'array', items: { type: 'string' }, description: 'Every file the script writes, as relative paths.' },
  answer: { type: 'string', description: 'Two to four sentences for the requester: what was done and what was found, with figures.' },
});
const review = tool(REVIEW_TOOL, 'Say whether the verified script answers the request.', {
  accept: { type: 'boolean', description: 'True only when verification passed and the result answers the request.' },
  summary: { type: 'string', description: 'Two to four sentences for the requester; when not accepted, what has to change.' },
});

/** Turns raw calls into the workflow's small ones; what can't be understood carries a sentence for the model. */
function toCall(raw: RawCall, store: (code: string) => Hash): Call {
  const base = { id: raw.id, tool: raw.name.slice(0, 64) };
  const args = callArguments(raw.arguments);
  if (!args) return { ...base, problem: 'The arguments are not a JSON object.' };
  if (raw.name === runCell.name) {
    if (typeof args.code !== 'string' || !args.code.trim()) return { ...base, problem: 'run_cell needs "code", a non-empty string.' };
    return { ...base, code: store(args.code) };
  }
  if (raw.name === submit.name) {
    if (typeof args.path !== 'string' || !args.path.trim()) return { ...base, problem: 'submit needs "path", the script file written before.' };
    return { ...base, path: args.path.slice(0, 500) };
  }
  return { ...base, problem: `There is no tool ${JSON.stringify(raw.name.slice(0, 64))}; use run_cell or submit.` };
}

export const codeactPlan: AskSpec = {
  system,
  tools: [],
  instruction: 'First write a short plan: a numbered list of at most six steps, each one line, using the real column names. Do not write code yet.',
  parse: (reply): Json => ({ items: reply.content.split('\n').filter((line) => /^\s*(\d+[.)]|[-*])\s/.test(line)).length }),
};

export const codeactTurn: AskSpec = {
  system,
  tools: [runCell, submit],
  instruction: null,
  parse: (reply, store): Json => ({ calls: reply.calls.slice(0, 8).map((raw) => toCall(raw, store)) }) as unknown as Json,
};

export const codeactReview: AskSpec = {
  system,
  tools: [review],
  instruction:
    'The script was verified as shown above. Judge it against the request and call review once. A version that a person made stands: judge that one and keep their change.',
  parse: (reply): Json => ({ accept: reviewOf(reply)?.accept ?? true }),
};
