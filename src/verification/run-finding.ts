import type { Finding } from '../session/finding.js';
import { finding } from './finding.js';
import type { ScriptRun } from './script-run.js';

/** Sentences for failures whose cause lies in the sandbox; the first that fits is taken. */
const HINTS: [RegExp, string][] = [
  [
    /URLError|gaierror|Name or service not known|name resolution|ConnectionError|ConnectionRefused|Network is unreachable|NewConnectionError|ProxyError|Errno 101\b/,
    'There is no network in the sandbox: read everything from the input files.',
  ],
  [/ModuleNotFoundError|No module named/, 'Only the installed packages and the company libraries can be imported; nothing can be installed.'],
  [/No space left on device|Disk quota exceeded|File too large|Errno 2[78]\b/, 'Write less: the workspace has a size limit.'],
  [/MemoryError|Unable to allocate|ArrowMemoryError|malloc of size/, 'Use less memory: read only the columns that are needed, and work in chunks.'],
  [/Read-only file system|PermissionError/, 'Inputs are read-only: write results under other names in the current directory.'],
  [/FileNotFoundError|No such file or directory/, 'In this folder stand only the input files under their names: read those by default, and create folders before writing into them.'],
];

/** What is wrong with a run, or undefined when it ended well. `second` when it repeats a run that was good. */
export function runFinding(run: ScriptRun, timeoutMs: number, second = false): Finding | undefined {
  const the = second ? 'The second run of the script' : 'The script';
  if (run.kind === 'lost') return finding('run-failed', `${the} ended its sandbox: ${run.why}.`, { remedy: 'Use less memory and disk, start few processes, and end none but your own.' });
  const where = run.failure?.line ? { line: run.failure.line } : {};
  if (run.timedOut) {
    const at = run.failure?.line ? `; it stood at line ${run.failure.line}` : '';
    return finding('run-timeout', `${the} did not end within ${seconds(timeoutMs)}${at}.`, where);
  }
  if (run.exit !== 0) {
    const said = run.failure?.traceback || run.failure?.message || 'It printed no message.';
    const hint = HINTS.find(([pattern]) => pattern.test(said));
    const how = run.exit < 0 ? `was killed by signal ${-run.exit}${run.exit === -9 ? ', most likely for its use of memory' : ''}` : `ended with exit code ${run.exit}`;
    return finding('run-failed', `${the} ${how}:\n${said}`, { ...where, ...(hint ? { remedy: hint[1] } : {}) });
  }
  if (run.left > 0) {
    return finding('run-failed', `${the} left ${run.left} process${run.left === 1 ? '' : 'es'} running when it ended.`, { remedy: 'Wait for every process it starts before main() returns.' });
  }
  return undefined;
}

const seconds = (ms: number) => `${Number((ms / 1000).toFixed(1))} s`;
