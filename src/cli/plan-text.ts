import { checkText, claim, type AcceptanceCheck } from '../session/acceptance-check.js';
import { BY_DEFAULT, type Answered } from '../session/agreed-plan.js';
import type { Plan } from '../session/plan.js';

const LINE_CHARS = 76;

/** What a plan takes for granted, as lines under one word. Hostile text: clean it before it is shown. Pure. */
export function assumedLines(assumptions: readonly string[]): string[] {
  return titled('Assumed', assumptions.flatMap((text) => wrapped(`• ${text}`)));
}

/** The checks that are frozen with a plan, by output, several on a line. Pure. */
export function checkLines(checks: readonly AcceptanceCheck[]): string[] {
  const outputs = [...new Set(checks.map(({ output }) => output))];
  const lines = outputs.flatMap((output) => {
    const those = checks.filter((check) => check.output === output);
    const name = checkText(those[0]!).slice(0, -claim(those[0]!).length);
    return packed([`${name}${claim(those[0]!)}`, ...those.slice(1).map(claim)]);
  });
  return titled('Checks', lines.length > 0 ? [...lines.slice(0, -1), `${lines.at(-1)!}   (frozen)`] : []);
}

/** What was asked and the answers that hold. Pure. */
export function answerLines(questions: readonly Pick<Answered, 'question' | 'answer' | 'by'>[]): string[] {
  return titled('Asked', questions.flatMap(({ question, answer, by }) => wrapped(`• ${question} ${answer} (${by === BY_DEFAULT ? 'by default' : by})`)));
}

/** A plan as a person reads it before they decide: steps, assumptions, questions with their choices, checks. Pure. */
export function planLines({ steps, assumptions, questions, checks }: Plan): string[] {
  const asked = questions.flatMap(({ id, question, options, default: stated }) => [...wrapped(`${id}  ${question}`), ...options.map((option, i) => `    ${i + 1}  ${option}${option === stated ? '   (default)' : ''}`)]);
  return [...titled('Plan', steps.flatMap((step, i) => wrapped(`${i + 1}. ${step}`))), ...assumedLines(assumptions), ...titled('Asks', asked), ...checkLines(checks)];
}

function titled(title: string, lines: readonly string[]): string[] {
  return lines.map((line, i) => `${(i === 0 ? title : '').padEnd(9)}${line}`);
}

/** A text on lines of bounded length, those after the first moved in. */
function wrapped(text: string): string[] {
  return text.split(/ (?=\S)/).reduce<string[]>((lines, word) => {
    const last = lines.at(-1);
    return last === undefined || last.length + word.length >= LINE_CHARS ? [...lines, last === undefined ? word : `  ${word}`] : [...lines.slice(0, -1), `${last} ${word}`];
  }, []);
}

function packed(parts: readonly string[]): string[] {
  return parts.reduce<string[]>((lines, part) => {
    const last = lines.at(-1);
    const joined = `${last} · ${part}`;
    return last === undefined || joined.length > LINE_CHARS ? [...lines, part] : [...lines.slice(0, -1), joined];
  }, []);
}
