import { quotable } from '../model/redaction.js';

const MAX_CHARS = 500;
const SECRET_NAME = /key|token|secret|passw|credential|auth/i;
const SHORTEST_SECRET = 8;

// Bounded repetitions: the text may come from anywhere.
const SECRETS: readonly [RegExp, string][] = [
  [/(\b[a-z][a-z0-9+.-]{1,20}:\/\/)[^\s/@'"]{1,300}@/gi, '$1[key]@'],
  [/\b(bearer|basic) +[\w.~+/=-]{8,4000}/gi, '$1 [key]'],
  [/((?:api[-_ ]?key|token|secret|passw(?:or)?d|pwd|authorization|credentials?)["']?\s{0,3}[:=]\s{0,3})(?!\[key\]|bearer\b|basic\b)(?:"[^"]{1,4000}"|'[^']{1,4000}'|[^\s,;&"']{1,4000})/gi, '$1[key]'],
  [/\b(?:sk|pk|rk|gh[pousr]|github_pat|glpat|xox[abeoprs]|hf|npm|AKIA|ASIA|AIza|dapi|eyJ)[-_A-Za-z0-9.]{14,4000}/g, '[key]'],
];

/**
 * What is told of an error that a tool has thrown: the first line of its message, bounded, without what looks like a secret or stands in
 * this process's environment under the name of one. Never its stack.
 */
export function errorSentence(error: unknown, env: Record<string, string | undefined> = process.env): string {
  const message = messageOf(error).split('\n', 1)[0]!;
  const secrets = Object.entries(env).flatMap(([name, value]) => (value && value.length >= SHORTEST_SECRET && SECRET_NAME.test(name) ? [value] : []));
  const without = SECRETS.reduce((text, [pattern, instead]) => text.replace(pattern, instead), message.slice(0, 20_000));
  return quotable(without, secrets, MAX_CHARS) || 'it gave no reason';
}

function messageOf(error: unknown): string {
  try {
    const message = error instanceof Error ? error.message || error.name : String(error);
    return typeof message === 'string' ? message : '';
  } catch {
    return '';
  }
}
