import type { Finding } from '../session/finding.js';
import type { BoundedText, CheckResult, VerificationObservation } from '../session/observation.js';
import { changesText } from './changes-text.js';
import { plain } from './plain-text.js';
import { statement } from './statement.js';

const MESSAGE_CHARS = 2_000;
const STREAM_CHARS = 1_500;
const MAX_SHOWN = 12;
const SIGN: Record<CheckResult['state'], string> = { passed: 'passed', failed: 'FAILED', 'not-run': 'not run' };

/** One finding as text: what is wrong, where, and what to do. Bounded; hostile text is stripped of control characters. Pure. */
export function findingText({ code, severity, message, remedy, line, path }: Finding): string {
  // A message that names its file or line already is not told twice.
  const at = [...(severity ? [severity] : []), ...(line !== undefined && !message.includes(`ine ${line}`) ? [`line ${line}`] : []), ...(path && !message.includes(path) ? [plain(path, 200)] : [])];
  return `[${code}${at.length > 0 ? `, ${at.join(', ')}` : ''}] ${plain(message, MESSAGE_CHARS)}${remedy ? `\n  Remedy: ${plain(remedy, 400)}` : ''}`;
}

/** A whole verification as the model reads it: verdict, checks, findings with remedies, the script's last words. Pure. */
export function verificationText(seen: VerificationObservation): string {
  const parts = [`Verification ${seen.ok ? 'passed' : 'FAILED'}: ${statement(seen)}.`, ...seen.checks.map(checkLine)];
  if (seen.findings.length > 0) {
    parts.push('', 'Findings:', ...seen.findings.slice(0, MAX_SHOWN).map((finding) => `- ${findingText(finding)}`));
    if (seen.findings.length > MAX_SHOWN) parts.push(`- and ${seen.findings.length - MAX_SHOWN} more`);
  }
  if (seen.outputs.length > 0) {
    parts.push('', `Files written: ${seen.outputs.slice(0, 20).map(({ path, shown, bytes }) => `${plain(shown ?? path, 200)} (${bytes} bytes)`).join(', ')}${seen.outputs.length > 20 ? ', …' : ''}`);
  }
  if (seen.changes) parts.push('', changesText(seen.changes));
  // Output of a script that verified is noise; of one that did not, it may say why.
  for (const [name, stream] of [['stdout', seen.stdout], ['stderr', seen.stderr]] as const) {
    if (!seen.ok && stream.text.trim()) parts.push('', `${name} of the first run:`, tail(stream));
  }
  return parts.join('\n');
}

/** One line a check, for people and the model. Pure. */
export function checkLine({ check, state, detail }: CheckResult): string {
  return `- ${plain(check, 100)}: ${SIGN[state]}${detail && state !== 'failed' ? ` (${plain(detail, 300)})` : ''}`;
}

function tail({ text, omitted }: BoundedText): string {
  const clean = plain(text, Infinity).trimEnd();
  const left = omitted + Math.max(0, clean.length - STREAM_CHARS);
  return `${left > 0 ? `[${left} characters left out]\n` : ''}${clean.slice(-STREAM_CHARS)}`;
}
