import type { Changes } from '../session/changes.js';
import type { Result } from '../session/result.js';
import { changeLines } from '../verification/changes-text.js';
import { clean, cleanLine } from './clean.js';
import { answerLines, assumedLines } from './plan-text.js';
import { dollars, seconds } from './progress.js';
import type { Terminal, Tone } from './terminal.js';

const DIFF_LINES = 12;
const TONES: Record<Result['status'], Tone> = { verified: 'good', unverified: 'warn', rejected: 'warn', stopped: 'warn', failed: 'bad' };

/** The end of a request as a person reads it. `files` are paths that were written. */
export function resultText(result: Result, files: string[], terminal: Terminal): string {
  const { spent } = result;
  const tokens = (spent.promptTokens + spent.completionTokens).toLocaleString('en-US');
  const row = (name: string, text: string) => `  ${name.padEnd(10)}${text}`;
  const width = Math.max(40, terminal.columns - 14);
  const lines = [
    `${terminal.paint(result.status.toUpperCase(), TONES[result.status])}   ${seconds(result.ms)} · ${count(result.steps, 'step')} · ${count(spent.calls, 'model call')} · ${tokens} tokens · ${dollars(spent)}${result.scripted ? ' (scripted)' : ''}`,
    ...(result.reason ? [row('reason', cleanLine(result.reason, 500))] : []),
    ...(result.statement ? [row('by', cleanLine(result.statement, 500))] : []),
    ...assumedLines(result.assumptions).map((line, i) => row(i === 0 ? 'assumed' : '', cleanLine(line.slice(9), 400))),
    ...answerLines(result.questions).map((line, i) => row(i === 0 ? 'asked' : '', cleanLine(line.slice(9), 400))),
    ...result.checks.map(({ text }, i) => row(i === 0 ? 'checked' : '', `${signOf(result, i)} ${cleanLine(text, 400)}`)),
    ...(result.verification?.findings ?? []).slice(0, 5).map(({ message, remedy }) => row('finding', cleanLine(`${message} ${remedy}`, 300))),
    ...(result.answer ? clean(result.answer).trim().split('\n').slice(0, 12).map((line, i) => row(i === 0 ? 'answer' : '', i === 0 ? `(the model's words) ${cleanLine(line, 1000)}` : cleanLine(line, 1000))) : []),
    ...changeRows(result.verification?.changes).map(([name, text]) => row(name, cleanLine(text, 1000))),
    ...result.decisions.map(({ what, kind, actor, reason }) => row('decision', cleanLine(`${what === 'script' ? '' : `${what}: `}${kind} by ${actor}${reason ? `: ${reason}` : ''}`, width))),
    ...result.artifacts.map(({ path, bytes, role }) => row(role, `${cleanLine(path, width)}  ${size(bytes)}`)),
    ...files.map((path) => row('written', cleanLine(path, 400))),
    ...(result.scripted ? [row('note', 'a written playbook answered, no AI model')] : []),
    ...(result.exposure === 'masked' ? [] : [row('exposure', result.exposure === 'full' ? 'full: the model could read all that the code showed' : 'schema: the model could read types and shapes only')]),
    ...(result.isolation === 'none' ? [row('note', 'isolation none: the code ran with the rights of this user')] : []),
  ];
  return lines.join('\n');
}

const SIGN = { passed: '✓', failed: '✗', 'not-run': '–' };

/** How the check `i` of the request ended. */
function signOf({ verification }: Result, i: number): string {
  return SIGN[verification?.checks.find(({ check }) => check === `request:${i + 1}`)?.state ?? 'not-run'];
}

/** What a follow-up changed, with the first lines of the scripts' difference. */
function changeRows(changes: Changes | undefined): [string, string][] {
  if (!changes) return [];
  const [script = '', ...outputs] = changeLines(changes);
  const diff = changes.script.diff.split('\n').filter((line) => /^[-+]/.test(line));
  const more = diff.length > DIFF_LINES ? [`… ${diff.length - DIFF_LINES} more: nl2code show --json`] : [];
  return [['changed', script], ...[...diff.slice(0, DIFF_LINES), ...more, ...outputs].map((text): [string, string] => ['', text])];
}

/** `1.2 MB`. */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes / 1000;
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
