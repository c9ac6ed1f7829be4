import { readCheck, type AcceptanceCheck } from './acceptance-check.js';

/** What is done, what is taken for granted, what a person could say, and what the result is held to. Frozen before code; its text is hostile. */
export interface Plan {
  steps: string[];
  /** What the plan takes for granted where the request leaves it open. */
  assumptions: string[];
  questions: Question[];
  checks: AcceptanceCheck[];
}

/** Something only a person knows and that changes the result. Nobody has to answer: the default stands. */
export interface Question {
  /** `q1`, `q2` or `q3`. */
  id: string;
  question: string;
  options: string[];
  /** What holds when nobody answers. */
  default: string;
}

/** Answers of a person by question id. */
export type Answers = Record<string, string>;

/** Steps of a plan that are worked on one by one; the script at the end is asked for the whole plan. */
export const MAX_PLAN_STEPS = 10;
export const MAX_QUESTIONS = 3;
export const MAX_CHECKS = 12;
const MAX_ASSUMPTIONS = 12;
const MAX_OPTIONS = 6;
const LINE_CHARS = 300;
const OPTION_CHARS = 100;

export interface ReadPlan {
  plan: Plan;
  /** What was left out of it and why, a sentence each. */
  problems: string[];
}

/** Reads a plan of unknown shape. What is malformed is left out and told; what is long is cut. `inputs`: names of the request's inputs, where known. Pure. */
export function readPlan(given: unknown, inputs?: readonly string[]): ReadPlan {
  const members = isObject(given) ? given : {};
  const problems: string[] = [];
  /** At most `max` of a list, each read by `read`; a text is what is wrong with it. */
  const several = <T>(what: string, value: unknown, max: number, read: (item: unknown, at: number) => T | string): T[] => {
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) {
      problems.push(`The ${what}s are no list and were left out.`);
      return [];
    }
    if (value.length > max) problems.push(`There are ${value.length} ${what}s; those after the first ${max} were left out.`);
    return value.slice(0, max).flatMap((item, i) => {
      const one = read(item, i);
      if (typeof one !== 'string') return [one];
      problems.push(`The ${what} ${i + 1} was left out: ${one}.`);
      return [];
    });
  };
  const text = (item: unknown): { text: string } | string => (isText(item) ? { text: line(item, LINE_CHARS) } : 'it is no text');
  return {
    plan: {
      steps: several('step', members.steps, MAX_PLAN_STEPS, (item) => text(stepText(item))).map(({ text }) => text),
      assumptions: several('assumption', members.assumptions, MAX_ASSUMPTIONS, text).map(({ text }) => text),
      questions: several('question', members.questions, MAX_QUESTIONS, readQuestion).map((question, i) => ({ ...question, id: `q${i + 1}` })),
      checks: several('check', members.checks, MAX_CHECKS, (item) => readCheck(item, inputs)),
    },
    problems,
  };
}

/** A person's version of a plan, from JSON text; a sentence when it can't be taken as it stands. Pure. */
export function readPlanText(text: string, inputs?: readonly string[]): Plan | string {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (error) {
    return `The plan is no JSON: ${String((error as Error).message).slice(0, 200)}. Correct it and send the edit again.`;
  }
  if (!isObject(given)) return 'The plan is no JSON object with steps, assumptions, questions and checks.';
  const unknown = Object.keys(given).find((key) => !['steps', 'assumptions', 'questions', 'checks'].includes(key));
  if (unknown !== undefined) return `A plan has no member ${JSON.stringify(unknown.slice(0, 80))}: it has steps, assumptions, questions and checks.`;
  const long = tooLong(given);
  if (long !== undefined) return `The plan can't be taken as it stands. ${long}`;
  const { plan, problems } = readPlan(given, inputs);
  if (problems.length > 0) return `The plan can't be taken as it stands. ${problems.slice(0, 3).join(' ')}`;
  return plan.steps.length > 0 ? plan : 'The plan has no steps: write at least one.';
}

/** What of a person's plan would be cut, as a sentence: a model's is cut, a person's words are not. */
function tooLong({ steps, assumptions, questions }: Record<string, unknown>): string | undefined {
  const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
  const asked = list(questions).filter(isObject);
  const options = asked.flatMap((question) => [...list(question.options), question.default]);
  const over = (texts: unknown[], chars: number) => texts.find((text): text is string => typeof text === 'string' && text.length > chars);
  const long = over([...list(steps), ...list(assumptions), ...asked.map(({ question }) => question)], LINE_CHARS);
  if (long !== undefined) return `The line ${JSON.stringify(`${long.slice(0, 40)}…`)} has ${long.length} characters: write at most ${LINE_CHARS}, or make two of it.`;
  const option = over(options, OPTION_CHARS);
  if (option !== undefined) return `The option ${JSON.stringify(`${option.slice(0, 40)}…`)} has ${option.length} characters: write at most ${OPTION_CHARS}.`;
  return asked.some((question) => list(question.options).length > MAX_OPTIONS) ? `A question has at most ${MAX_OPTIONS} options.` : undefined;
}

/** Why these answers don't fit a plan of so many questions, as a sentence; undefined when they do. Pure; reads hostile values. */
export function answersProblem(answers: unknown, questions: number): string | undefined {
  if (answers === undefined) return undefined;
  if (!isObject(answers)) return 'The answers are no object of texts by question, such as {"q1": "…"}.';
  const asked = Array.from({ length: questions }, (_, i) => `q${i + 1}`);
  for (const [id, answer] of Object.entries(answers)) {
    if (!asked.includes(id)) return `There is no question ${JSON.stringify(id.slice(0, 40))}: ${asked.length > 0 ? `the plan asks ${asked.join(', ')}` : 'the plan asks nothing'}.`;
    if (!isText(answer) || answer.length > LINE_CHARS) return `The answer to ${id} is ${typeof answer === 'string' ? `${answer.length} characters long` : 'no text'}: give a text of 1 to ${LINE_CHARS} characters.`;
  }
  return undefined;
}

/** One line of text that is safe to show: bounded, white space joined, without control, bidirectional and zero-width characters. Pure. */
export function line(text: string, chars: number): string {
  const clean = text.slice(0, 4 * chars).replace(/[\s\p{Cc}\p{Cf}\p{Cs}]+/gu, ' ').trim();
  return clean.length > chars ? `${clean.slice(0, chars - 1)}…` : clean;
}

function readQuestion(given: unknown): Omit<Question, 'id'> | string {
  if (!isObject(given)) return 'it is no object with question, options and default';
  if (!isText(given.question)) return 'it needs question, a text';
  if (!isText(given.default)) return 'it needs default, the answer that is taken when nobody gives one';
  if (given.options !== undefined && given.options !== null && !(Array.isArray(given.options) && given.options.every(isOption))) return 'its options are no list of texts';
  const stated = line(given.default, OPTION_CHARS);
  const options = ((given.options ?? []) as (string | number)[]).slice(0, MAX_OPTIONS).map((option) => line(String(option), OPTION_CHARS));
  return { question: line(given.question, LINE_CHARS), options: options.includes(stated) ? options : [...options.slice(0, MAX_OPTIONS - 1), stated], default: stated };
}

/** Models write steps as objects too. */
function stepText(item: unknown): unknown {
  if (!isObject(item)) return item;
  return [item.step, item.title, item.what, item.task, item.description, item.text].find(isText) ?? JSON.stringify(item);
}

const isText = (value: unknown): value is string => typeof value === 'string' && line(value, LINE_CHARS) !== '';
const isOption = (value: unknown): boolean => isText(value) || typeof value === 'number';
const isObject = (value: unknown): value is Record<string, unknown> => value !== null && typeof value === 'object' && !Array.isArray(value);
