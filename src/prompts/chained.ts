import type { Json } from '../session/json.js';
import { callArguments, tool, type AskSpec, type AskWords } from './ask.js';
import { callsOf, REPLY_ID } from './calls.js';
import { pythonBlock } from './code-blocks.js';
import { MAX_PLAN_STEPS, planSteps } from './plan-list.js';
import { REVIEW_TOOL, reviewOf } from './replies.js';
import { sandboxRules, scriptRules } from './script-rules.js';
import { wholeScriptWords } from './single-shot.js';
import { scriptCall, submitCode } from './submit.js';

const system = `nl2code strategy: chained
You turn an analyst's request into one production Python script, in stages, each asked for in turn:
1. a plan, as a JSON list of steps;
2. the code of each step, which is run in one live Python session: variables stay from step to step, and the value of the last expression is shown, as in a notebook;
3. a review of what the steps did: call review(accept, summary), or write {"accept": …, "summary": "…"};
4. the whole script, made of the steps with the faults of the review corrected: call submit(code, outputs, answer), or write the script as one fenced block of Python.
Answer each stage with what it asks for and nothing of the next. Use the columns and files as the inspection shows them, whatever the request calls them. Follow the company's conventions where they are given, and prefer its libraries.

${sandboxRules}

${scriptRules}`;

const words = (noCall: string): AskWords => ({ ...wholeScriptWords, noCall });

export const chainedPlan: AskSpec = {
  system,
  tools: [],
  instruction: `Write the plan: a JSON list of two to ${MAX_PLAN_STEPS} texts, each one step of the work that can be run on its own, with the real column names. Looking at the inputs is done, and writing the script comes later: neither is a step.`,
  words: words('Your reply held no plan: write a JSON list of texts, such as ["Read …", "Score …"].'),
  parse: (reply): Json => ({ items: planSteps(reply.content) }),
};

export const chainedStep: AskSpec = {
  system,
  tools: [],
  instruction: (item) => `Write the code of step ${item + 1} of your plan as exactly one \`\`\`python block. It runs after the steps before it, in the same session. If it has just failed, correct it.`,
  words: words('Your reply held no code that could be run: write exactly one ```python block.'),
  parse: (reply, store): Json => {
    // Models that were made for tools call one although none is offered.
    const [call, another] = callsOf(reply);
    const only = another ? undefined : call;
    const called = only && callArguments(only.arguments)?.code;
    const code = typeof called === 'string' && called.trim() ? called : pythonBlock(reply.content);
    return { calls: code === undefined ? [] : [{ id: only?.id ?? REPLY_ID, tool: 'run_cell', code: store(code) }] };
  },
};

export const chainedReview: AskSpec = {
  system,
  tools: [
    tool(REVIEW_TOOL, 'Say what the script must do better than the steps did.', {
      accept: { type: 'boolean', description: 'True when the steps did what the request and the conventions ask.' },
      summary: { type: 'string', description: 'What has to change in the script, fault by fault; or that nothing has to.' },
    }),
  ],
  instruction: 'All steps were asked for. Read what they showed against the request and the conventions: failed steps, wrong columns, rows lost, numbers that are not as asked. Then call review once. You write the script next.',
  words: wholeScriptWords,
  parse: (reply): Json => ({ accept: reviewOf(reply)?.accept ?? true }),
};

export const chainedScript: AskSpec = {
  system,
  tools: [submitCode],
  instruction: 'Now write the whole script: all steps together as one program, with every fault found so far corrected. Call submit.',
  words: wholeScriptWords,
  parse: (reply, store): Json => {
    const call = scriptCall(reply, store);
    return { calls: call ? [call] : [] } as unknown as Json;
  },
};
