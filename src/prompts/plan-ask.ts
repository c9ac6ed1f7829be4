import type { ModelReply } from '../model/endpoint.js';
import { CHECK_KIND_NAMES, CHECK_KINDS } from '../session/acceptance-check.js';
import type { Hash, Json } from '../session/json.js';
import { MAX_CHECKS, MAX_PLAN_STEPS, MAX_QUESTIONS, readPlan, type ReadPlan } from '../session/plan.js';
import { callArguments, tool, type AskFrame, type AskSpec } from './ask.js';
import { callsOf } from './calls.js';
import { jsonIn } from './json-in-text.js';

/** Name of the tool a plan is handed in with. */
export const PLAN_TOOL = 'plan';

const texts = (description: string): Json => ({ type: 'array', items: { type: 'string' }, description });
const scalar: Json = { type: ['string', 'number', 'boolean'] };
const number: Json = { type: 'number' };
const text: Json = { type: 'string' };

export const planTool = tool(PLAN_TOOL, 'Hand in the plan, once, before any code.', {
  steps: texts('Steps of the work, one line each, with the real column names.'),
  assumptions: texts('What you take for granted where the request leaves it open, one line each.'),
  questions: {
    type: 'array',
    description: `At most ${MAX_QUESTIONS}; usually none.`,
    items: { type: 'object', properties: { question: text, options: texts('Two to four short answers.'), default: { type: 'string', description: 'The answer that is taken when nobody gives one.' } }, required: ['question', 'options', 'default'] },
  },
  checks: {
    type: 'array',
    description: `At most ${MAX_CHECKS}; each has the members its kind takes, and no other.`,
    items: {
      type: 'object',
      properties: {
        kind: { type: 'string', enum: CHECK_KIND_NAMES },
        output: { type: 'string', description: 'The output file.' },
        column: text,
        columns: { type: 'array', items: text },
        value: scalar,
        values: { type: 'array', items: scalar },
        equals: number,
        min: number,
        max: number,
        input: { type: 'string', description: 'An input file.' },
        inputColumn: text,
        order: { type: 'string', enum: ['ascending', 'descending'] },
      },
      required: ['kind', 'output'],
    },
  },
});

/** What a plan is, as the model is told; part of the system prompt of each strategy that plans. */
export const planRules = `The plan comes first, before any code: plan(steps, assumptions, questions, checks).
- assumptions: everything the result depends on that the request leaves open and you decide: what a word of the request means in these columns, which rows a percentage counts, what happens to missing values, ties, rounding.
- questions: only what neither the inputs nor the conventions can answer, and whose answer changes the result. Each has a default that you go on with when nobody answers. Where you can decide well, assume instead of asking.
- checks: what the request and the conventions promise of the output files and can be counted, e.g. {"kind": "rows", "output": "a.csv", "equals": 1000} or {"kind": "share", "output": "a.csv", "column": "group", "value": "holdout", "equals": 0.2}. They are frozen with the plan, and the script is verified by them: leave out what is not promised, or what you can't know yet. Each has kind, output and what its kind takes:
${CHECK_KINDS.replace(/^/gm, '  ')}`;

/** The plan that a reply holds: of its plan call, else from its text, where a list alone counts as its steps. Without steps it is none. Pure. */
export function planOf(reply: ModelReply, inputs?: readonly string[]): ReadPlan {
  const call = callsOf(reply).find(({ name }) => name === PLAN_TOOL);
  if (call) {
    const args = callArguments(call.arguments);
    const read = readPlan(args, inputs);
    if (read.plan.steps.length === 0) read.problems.unshift(args ? 'The plan has no steps.' : 'The arguments are not a JSON object.');
    return read;
  }
  const values = jsonIn(reply.content);
  const whole = values.findLast((value) => isObject(value) && Array.isArray(value.steps));
  return readPlan(whole ?? { steps: listIn(values) ?? linesIn(reply.content) }, inputs);
}

/** Which call of a plan's reply is answered with what. Pure. */
export function planAnswer(name: string, { plan, problems }: ReadPlan): string {
  const planned = plan.steps.length > 0;
  if (name === PLAN_TOOL) return [planned ? 'The plan is noted; go on by it.' : 'Not taken.', ...problems].join(' ');
  return planned ? 'Not run: the plan stood in the same reply. Call it now if it is still right.' : 'Not run. First the plan: call plan(steps, assumptions, questions, checks).';
}

/** The ask for a plan. */
export function planAsk(of: AskFrame, instruction: string): AskSpec {
  return {
    ...of,
    instruction,
    words: { ...of.words, noCall: 'Your reply held no plan: call plan(steps, assumptions, questions, checks), or write its steps as a JSON list of texts, such as ["Read …", "Score …"].' },
    parse: (reply, store, inputs): Json => planValue(planOf(reply, inputs), store),
  };
}

function planValue({ plan }: ReadPlan, store: (text: string) => Hash): Json {
  const { steps, questions } = plan;
  if (steps.length === 0) return { items: 0 };
  return { items: steps.length, plan: store(JSON.stringify(plan)), ...(questions.length > 0 ? { questions: questions.length } : {}) };
}

/** The longest JSON list of texts or objects, alone or as a member of an object, whatever stands around it. */
function listIn(values: Json[]): Json[] | undefined {
  const lists = values.flatMap((value) => (Array.isArray(value) ? [value] : isObject(value) ? Object.values(value).filter((member) => Array.isArray(member)) : []));
  return lists.filter((list) => list.length > 0 && list.every(isStep)).sort((a, b) => b.length - a.length)[0]?.slice(0, MAX_PLAN_STEPS);
}

/** The lines of a numbered or bulleted list. */
function linesIn(content: string): string[] {
  const lines = content.split('\n').flatMap((given) => /^\s*(?:\d+[.)]|[-*])\s+(\S.*)$/.exec(given)?.[1] ?? []);
  return lines.slice(0, MAX_PLAN_STEPS);
}

const isStep = (step: Json): boolean => (typeof step === 'string' ? step.trim() !== '' : isObject(step));
const isObject = (value: Json | undefined): value is Record<string, Json> => value !== null && typeof value === 'object' && !Array.isArray(value);
