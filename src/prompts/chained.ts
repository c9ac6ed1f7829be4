import type { RawCall } from '../model/endpoint.js';
import type { Hash, Json } from '../session/json.js';
import { MAX_PLAN_STEPS } from '../session/plan.js';
import type { Call } from '../session/step.js';
import { callArguments, type AskSpec, type AskWords } from './ask.js';
import { callsOf, REPLY_ID, textCallRules } from './calls.js';
import { pythonBlock } from './code-blocks.js';
import { planAsk, planRules, planTool } from './plan-ask.js';
import { reviewOf } from './replies.js';
import { reviewTool } from './review-ask.js';
import { runCell } from './run-cell.js';
import { sandboxRules, scriptRules } from './script-rules.js';
import { wholeScriptWords } from './single-shot.js';
import { scriptCall, SUBMIT_TOOL, submitCode } from './submit.js';

const tools = [planTool, runCell, submitCode, reviewTool];

const system = `nl2code strategy: chained
You turn an analyst's request into one production Python script, in stages, each asked for in turn:
1. the plan: call plan, or write it as a JSON list of steps;
2. the code of each step, which is run in one live Python session: variables stay from step to step, and the value of the last expression is shown, as in a notebook;
3. a review of what the steps did: call review(accept, summary), or write {"accept": …, "summary": "…"};
4. the whole script, made of the steps with the faults of the review corrected: call submit(code, outputs, answer), or write the script as one fenced block of Python. It is the last stage, unless verification finds faults: then they come back to you.
Answer each stage with what it asks for and nothing of the next. Use the columns and files as the inspection shows them, whatever the request calls them. Follow the company's conventions where they are given, and prefer its libraries.
${textCallRules(tools)}

${planRules}

${sandboxRules}

${scriptRules}`;

const words = (noCall: string): AskWords => ({ ...wholeScriptWords, noCall });

export const chainedPlan: AskSpec = planAsk(
  { system, tools, words: wholeScriptWords, calling: 'cell' },
  `Make the plan: call plan with two to ${MAX_PLAN_STEPS} steps, each a step of the work that can be run on its own, with the real column names. Looking at the inputs is done, and writing the script comes later: neither is a step.`,
);

export const chainedStep: AskSpec = {
  system,
  tools,
  calling: 'cell',
  instruction: (item) => `Write the code of step ${item + 1} of your plan: call run_cell once, or write exactly one \`\`\`python block. It runs after the steps before it, in the same session. If this step was tried and failed, correct it.`,
  words: words('Your reply held no code that could be run: call run_cell once, or write exactly one ```python block.'),
  parse(reply, store): Json {
    const calls = callsOf(reply);
    const once = calls.filter(({ name }) => name === runCell.name).length === 1;
    const read = calls.map((call) => (call.name !== runCell.name ? notNow(call, 'a step was asked for') : once ? cellCall(call, store) : { ...base(call), problem: 'A step is one cell: call run_cell once.' }));
    const block = read.some(({ code }) => code !== undefined) ? undefined : pythonBlock(reply.content);
    return { calls: block === undefined ? read : [...read, { id: REPLY_ID, tool: runCell.name, code: store(block) }] } as unknown as Json;
  },
};

export const chainedReview: AskSpec = {
  system,
  tools,
  calling: 'cell',
  instruction: 'All steps were asked for. Read what they showed against the request, the conventions and your plan: failed steps, wrong columns, rows lost, numbers that are not as asked. Then call review once: accept is true when nothing has to change, else summary says what the script must do better, fault by fault. You write the script next.',
  words: wholeScriptWords,
  parse: (reply): Json => ({ accept: reviewOf(reply)?.accept ?? true }),
};

export const chainedScript: AskSpec = {
  system,
  tools,
  calling: 'cell',
  instruction: 'Now write the whole script: all steps together as one program, with every fault found so far corrected. Call submit.',
  words: wholeScriptWords,
  parse(reply, store): Json {
    const script = scriptCall(reply, store);
    const others = callsOf(reply).filter(({ name }) => name !== SUBMIT_TOOL).map((call) => notNow(call, 'the script was asked for'));
    return { calls: script ? [script, ...others] : others } as unknown as Json;
  },
};

const base = (call: RawCall) => ({ id: call.id, tool: call.name.slice(0, 64) });
const notNow = (call: RawCall, why: string): Call => ({ ...base(call), problem: `Not now: ${why}.` });

function cellCall(call: RawCall, store: (code: string) => Hash): Call {
  const code = callArguments(call.arguments)?.code;
  return typeof code === 'string' && code.trim() ? { ...base(call), code: store(code) } : { ...base(call), problem: 'run_cell needs "code", a non-empty string.' };
}
