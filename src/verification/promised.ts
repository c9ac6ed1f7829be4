import { posix } from 'node:path';
import type { Finding } from '../session/finding.js';
import type { Written } from './collect.js';
import { finding, quoted } from './finding.js';

const MAX_NAMED = 10;

/** A promised path relative to the workspace, or null when it leads out of it. Pure. */
export function workspacePath(path: string): string | null {
  const plain = posix.normalize(path.startsWith('/workspace/') ? path.slice('/workspace/'.length) : path);
  return plain === '.' || plain === '..' || plain.startsWith('../') || plain.startsWith('/') || plain.includes('\0') ? null : plain.replace(/\/$/, '');
}

/** What is wrong with the promised outputs: missing, empty or no regular file; says what was written instead. Pure. */
export function promiseFindings(promised: readonly string[], written: Written): Finding[] {
  if (written.problem) return [finding('output-unreadable', `The script's files can't be collected. ${written.problem}`)];
  const wanted = promised.map(workspacePath);
  const instead = written.files.map(({ path }) => path).filter((path) => !wanted.includes(path));
  return promised.flatMap((name, i) => {
    const path = wanted[i]!;
    const missing = (message: string) => [finding('output-missing', message, { path: name })];
    if (path === null) return missing(`${quoted(name)} was promised, but it does not lie in the current directory.`);
    const file = written.files.find((known) => known.path === path);
    if (file) return file.bytes > 0 ? [] : missing(`${quoted(name)} was promised, but it is empty.`);
    const kind = written.others.get(path);
    if (kind) return missing(`${quoted(name)} was promised as a file, but it is ${kind}.`);
    return missing(`${quoted(name)} was promised, but not written; ${insteadText(instead)}.`);
  });
}

function insteadText(paths: readonly string[]): string {
  if (paths.length === 0) return 'the script wrote no other file';
  return `the script wrote ${paths.slice(0, MAX_NAMED).map(quoted).join(', ')}${paths.length > MAX_NAMED ? ` and ${paths.length - MAX_NAMED} more` : ''}`;
}
