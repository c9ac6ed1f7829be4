import type { ModelReply, RawCall } from '../model/endpoint.js';
import type { Json } from '../session/json.js';
import type { Call } from '../session/step.js';
import { callArguments, tool, type AskSpec, type AskWords } from './ask.js';
import { argumentsProblem } from './ending.js';
import { callsOf, textCallRules } from './calls.js';
import { reviewAsk, reviewTool } from './review-ask.js';
import { sandboxRules, scriptRules } from './script-rules.js';
import { pathCall, submitPath } from './submit.js';

const path = { type: 'string', description: 'Path relative to the current directory.' };
const readSchema = tool('read_schema', 'Look at a file: its columns with types, distinct values, nulls and ranges, and the call that reads it.', { path });
const runPython = tool('run_python', 'Run Python in a fresh interpreter. No variable is left from earlier calls, files are; only what is printed comes back.', {
  code: { type: 'string', description: 'The whole program, imports included.' },
});
const checkImports = tool('check_imports', 'Say which of these packages can be imported, and their versions.', {
  packages: { type: 'array', items: { type: 'string' }, description: 'Names as they are imported.' },
});
const writeFile = tool('write_file', 'Write a text file whole, in place of what it held.', { path, content: { type: 'string', description: 'The text of the file.' } });
const tools = [readSchema, runPython, checkImports, writeFile, submitPath, reviewTool];

/** What a tool runs: a cell of Python, or why there is none. Arguments are text of a model: they enter code as literals, or as the body below a first line of ours. */
const cells: Record<string, (args: Record<string, unknown>) => { code: string } | { problem: string }> = {
  [readSchema.name]: (args) => (isText(args.path) ? { code: calling('read_schema', args.path.slice(0, 1000)) } : { problem: 'read_schema needs "path", the name of a file.' }),
  [runPython.name]: (args) => (isText(args.code) ? { code: `%%python\n${args.code}` } : { problem: 'run_python needs "code", a non-empty string.' }),
  [checkImports.name](args) {
    const names = typeof args.packages === 'string' ? args.packages.split(/[\s,]+/) : args.packages;
    if (!Array.isArray(names) || !names.some(isText)) return { problem: 'check_imports needs "packages", a list of names.' };
    return { code: calling('check_imports', names.filter(isText).slice(0, 50).map((name) => name.slice(0, 200))) };
  },
  [writeFile.name](args) {
    if (!isText(args.path) || args.path.length > 500 || /[\u0000-\u001f\u007f"]/.test(args.path)) return { problem: 'write_file needs "path", a file name without quotes and line breaks.' };
    if (typeof args.content !== 'string') return { problem: 'write_file needs "content", the text of the file.' };
    return { code: `%%writefile ${/^[\w./][\w./-]*$/.test(args.path) ? args.path : `"${args.path}"`}\n${args.content}` };
  },
};

const isText = (value: unknown): value is string => typeof value === 'string' && value.trim() !== '';

/** A cell that calls a function of the guest. JSON texts and lists of texts are literals of Python as they stand. */
const calling = (name: string, argument: string | string[]): string => `from nl2code_guest.tools import ${name}\n${name}(${JSON.stringify(argument)})`;

function toCall(raw: RawCall, store: (code: string) => string, reply: ModelReply): Call {
  const base = { id: raw.id, tool: raw.name.slice(0, 64) };
  const args = callArguments(raw.arguments);
  if (!args) return { ...base, problem: argumentsProblem(reply) };
  if (raw.name === submitPath.name) return pathCall(base, args);
  if (raw.name === reviewTool.name) return { ...base, problem: 'There is nothing to review yet: submit first.' };
  const cell = Object.hasOwn(cells, raw.name) ? cells[raw.name]!(args) : { problem: `There is no tool ${JSON.stringify(base.tool)}; use ${[...Object.keys(cells), submitPath.name].join(', ')}.` };
  return 'problem' in cell ? { ...base, ...cell } : { ...base, code: store(cell.code) };
}

const words: AskWords = {
  goOn: 'Go on: call a tool, or submit when the script is written and has run.',
  noCall: 'Your reply held no tool call, so nothing was done. Call one of the tools, or submit to hand in the script.',
  repair: 'Repair it, run it once, and submit again.',
};

const system = `nl2code strategy: react
You turn an analyst's request into one production Python script, step by step: think in a sentence, call a tool, look at what it says, and go on.

How you work
- Every run_python starts a fresh interpreter: import and load what you need each time, and print what you want to see. Files stay.
- Use the columns and files as the inspection shows them, whatever the request calls them.
- When you know how, write the whole script with write_file, run it once with run_python (import runpy; runpy.run_path("NAME.py", run_name="__main__")), look at its outputs, and then call submit. Only submit ends the work.
- Follow the company's conventions where they are given, and prefer its libraries.
- Sets have no stable order: print sorted(...).
- ${textCallRules(tools)}

${sandboxRules}

${scriptRules}`;

export const reactTurn: AskSpec = {
  system,
  tools,
  instruction: null,
  words,
  calling: 'program',
  parse: (reply, store): Json => ({ calls: callsOf(reply).map((raw) => toCall(raw, store, reply)) }) as unknown as Json,
};

export const reactReview = reviewAsk({ system, tools, words, calling: 'program' });
