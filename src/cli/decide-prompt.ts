import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Decision, Proposed } from '../session/decision.js';
import { readPlanText, type Answers, type Plan, type Question } from '../session/plan.js';
import { clean, cleanLine } from './clean.js';
import { lineDiff } from './line-diff.js';
import { planLines } from './plan-text.js';
import { ask } from './question.js';
import type { Terminal } from './terminal.js';
import { mayCall } from './tool-text.js';

export interface Shown {
  what: Proposed;
  /** The code that waits, or the JSON of the plan. Hostile text. */
  code: string;
  /** What was shown before, or what a follow-up goes on from, to see the change; null where there is neither, and for what stands alone. */
  before: string | null;
  /** Why it waits again. */
  problem: string | null;
  /** What a follow-up changed against the last verified request, a line each. */
  changed: readonly string[];
  /** Tools that its code may call. */
  tools: readonly string[];
}

interface Asking {
  signal: AbortSignal;
  onInterrupt: () => void;
  env: Record<string, string | undefined>;
}

/** What can be shown, edited and asked about, whatever it is. */
interface Form {
  /** What the editor opens. */
  text: string;
  file: string;
  show(text: string): void;
  /** Why an edit can't be taken; undefined when it can. */
  problem(edited: string): string | undefined;
  /** What approving needs to be told; null when the person gave up. */
  approve(): Promise<Decision | null>;
}

/** Shows what waits and asks a person on the terminal. Resolves null when the question was given up: `signal`, Ctrl-C or end of input. */
export async function askDecision(shown: Shown, terminal: Terminal, asking: Asking): Promise<Decision | null> {
  const { what, before, problem, changed, tools } = shown;
  terminal.note(`── approval: ${what} ${'─'.repeat(30)}`, 'strong');
  if (problem !== null) terminal.note(clean(problem), 'warn');
  for (const line of changed) terminal.note(`   ${cleanLine(line, 1000)}`);
  const calling = mayCall(tools);
  if (calling !== null) terminal.note(calling, 'warn');
  const form = what === 'plan' ? planForm(shown.code, terminal, asking) : codeForm(shown.code, terminal);
  if (before === null) form.show(form.text);
  else showDiff(before, form.text, terminal);
  for (;;) {
    const answer = await ask('approve, edit, reject or show the whole? [a/e/r/s] ', asking);
    if (answer === null) return null;
    switch (answer.toLowerCase()[0]) {
      case 'a':
        return form.approve();
      case 's':
        form.show(form.text);
        break;
      case 'r': {
        const reason = await ask(what === 'cell' ? 'reason (empty: none): ' : 'reason (empty: end the request): ', asking);
        return reason === null ? null : { kind: 'reject', ...(reason ? { reason } : {}) };
      }
      case 'e': {
        const edited = edit(form, asking.env, terminal);
        if (edited === null || edited === form.text) {
          terminal.note('nothing changed', 'dim');
          break;
        }
        const wrong = form.problem(edited);
        if (wrong !== undefined) {
          terminal.note(clean(wrong), 'bad');
          break;
        }
        showDiff(form.text, edited, terminal);
        if ((await ask(what === 'plan' ? 'go by this instead? [y/n] ' : 'run this instead? [y/n] ', asking))?.toLowerCase().startsWith('y')) return { kind: 'edit', code: { text: edited } };
        break;
      }
    }
  }
}

function codeForm(text: string, terminal: Terminal): Form {
  return { text, file: 'script.py', show: (code) => showCode(code, terminal), problem: () => undefined, approve: () => Promise.resolve({ kind: 'approve' }) };
}

function planForm(json: string, terminal: Terminal, asking: Asking): Form {
  const plan = JSON.parse(json) as Plan;
  return {
    text: `${JSON.stringify(plan, null, 2)}\n`,
    file: 'plan.json',
    show: (text) => terminal.note(planLines(JSON.parse(text) as Plan).map((line) => clean(line)).join('\n')),
    problem(edited) {
      const read = readPlanText(edited);
      return typeof read === 'string' ? read : undefined;
    },
    async approve() {
      const answers: Answers = {};
      for (const question of plan.questions) {
        const answer = await askQuestion(question, terminal, asking);
        if (answer === null) return null;
        if (answer) answers[question.id] = answer;
      }
      return { kind: 'approve', ...(Object.keys(answers).length > 0 ? { answers } : {}) };
    },
  };
}

/** One key for a choice, any other text as it is, nothing for the default. */
async function askQuestion({ question, options, default: stated }: Question, terminal: Terminal, asking: Asking): Promise<string | null> {
  terminal.note([clean(question), ...options.map((option, i) => `  ${i + 1}  ${clean(option)}`)].join('\n'));
  const answer = await ask(`1 to ${options.length}, or your own words (empty: ${clean(stated)}): `, asking);
  return answer === null ? null : (options[/^\d$/.test(answer) ? Number(answer) - 1 : -1] ?? answer);
}

/** The code with line numbers. */
function showCode(code: string, terminal: Terminal): void {
  const lines = clean(code).trimEnd().split('\n');
  const width = String(lines.length).length;
  terminal.note(lines.map((line, i) => `${String(i + 1).padStart(width)}  ${line}`).join('\n'));
}

function showDiff(before: string, after: string, terminal: Terminal): void {
  for (const { sign, text } of lineDiff(before, after)) terminal.note(`   ${sign} ${clean(text)}`, sign === '+' ? 'good' : sign === '-' ? 'bad' : 'dim');
}

/** The text after the person's editor has closed; null when the editor could not run. */
function edit({ text, file }: Form, env: Record<string, string | undefined>, terminal: Terminal): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'nl2code-edit-'));
  const path = join(folder, file);
  try {
    writeFileSync(path, text, { mode: 0o600 });
    // EDITOR may hold arguments, so a shell takes it apart.
    const editor = env.VISUAL || env.EDITOR || 'vi';
    const { status } = spawnSync('/bin/sh', ['-c', `${editor} "$1"`, 'sh', path], { stdio: 'inherit', env });
    if (status === 0) return readFileSync(path, 'utf8');
    terminal.note(`The editor ${JSON.stringify(editor)} ended with ${status ?? 'a signal'}: set EDITOR.`, 'warn');
    return null;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
