import type { Finding } from '../session/finding.js';
import { finding } from './finding.js';
import type { ScriptRun } from './script-run.js';

const MAX_LINES = 3;

/** What is wrong with how a script refused to run without its input files: exit code, one message, no traceback. Pure. */
export function refusalFindings(run: ScriptRun): Finding[] {
  const unclear = (how: string) => [finding('bad-input-unclear', `Without its input files the script ${how}.`)];
  if (run.kind === 'lost') return unclear(`ended its sandbox: ${run.why}`);
  if (run.timedOut) return unclear('did not end');
  if (run.exit === 0) return unclear('ended with exit code 0');
  const said = run.stderr.text.trim();
  if (said.includes('Traceback (most recent call last)')) return unclear('ended with a traceback');
  if (said === '') return unclear(`ended with exit code ${run.exit} and said nothing on stderr`);
  const lines = said.split('\n').filter((line) => line.trim() && !line.startsWith('usage:'));
  return lines.length > MAX_LINES ? unclear(`printed ${lines.length} lines to stderr`) : [];
}
