import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Decision } from '../session/decision.js';
import { clean } from './clean.js';
import { lineDiff } from './line-diff.js';
import { ask } from './question.js';
import type { Terminal } from './terminal.js';

export interface Shown {
  /** The code that waits. Hostile text. */
  code: string;
  /** What was shown before, to see the change; null the first time. */
  before: string | null;
}

/** Shows the code that waits and asks a person on the terminal. Resolves null when the question was given up: `signal`, Ctrl-C or end of input. */
export async function askDecision({ code, before }: Shown, terminal: Terminal, asking: { signal: AbortSignal; onInterrupt: () => void; env: Record<string, string | undefined> }): Promise<Decision | null> {
  terminal.note('── approval ──────────────────────────────', 'strong');
  if (before === null) showCode(code, terminal);
  else showDiff(before, code, terminal);
  for (;;) {
    const answer = await ask('approve, edit, reject or show the whole? [a/e/r/s] ', asking);
    if (answer === null) return null;
    switch (answer.toLowerCase()[0]) {
      case 'a':
        return { kind: 'approve' };
      case 's':
        showCode(code, terminal);
        break;
      case 'r': {
        const reason = await ask('reason (empty: end the request): ', asking);
        return reason === null ? null : { kind: 'reject', ...(reason ? { reason } : {}) };
      }
      case 'e': {
        const edited = edit(code, asking.env, terminal);
        if (edited === null || edited === code) {
          terminal.note('nothing changed', 'dim');
          break;
        }
        showDiff(code, edited, terminal);
        if ((await ask('run this instead? [y/n] ', asking))?.toLowerCase().startsWith('y')) return { kind: 'edit', code: { text: edited } };
        break;
      }
    }
  }
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

/** The code after the person's editor has closed; null when the editor could not run. */
function edit(code: string, env: Record<string, string | undefined>, terminal: Terminal): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'nl2code-edit-'));
  const path = join(folder, 'script.py');
  try {
    writeFileSync(path, code, { mode: 0o600 });
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
