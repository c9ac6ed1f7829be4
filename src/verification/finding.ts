import type { Finding, FindingCode } from '../session/finding.js';

/** What to do about a finding when its message does not say. A new code does not compile until its row is filled in. */
const REMEDY: Record<FindingCode, string> = {
  'script-missing': 'Write the script to a file in the current directory and submit its path.',
  'syntax-error': 'Correct the line and submit the script again.',
  'no-main': 'Put the work in a function main() that returns an exit code, and end with: if __name__ == "__main__": sys.exit(main())',
  credentials: 'Take it out and read it from the environment, e.g. os.environ["NAME"]; a credential that stood in a script must be replaced.',
  'unknown-import': 'Only the installed packages and the company libraries can be imported; nothing can be installed.',
  'unknown-call': 'Call something that exists in the installed version.',
  'wrong-arguments': 'Give the arguments that the installed version takes.',
  'reads-clock': 'Take the date from an argument, e.g. --as-of 2024-01-31, or from the data: the same inputs give the same outputs on any day.',
  'needs-session': 'Call the tool in a cell, and write what the script needs of its answer into the script: as a constant, or as the default of an option.',
  'no-header': 'Start the script with a header (PEP 723) that pins the packages it imports.',
  'exit-code-lost': 'End with: if __name__ == "__main__": sys.exit(main())',
  'bad-input-unclear': 'Where an input is missing or can not be used, print one line to stderr that names the file, and return 1.',
  'run-failed': 'Correct the cause; the script runs alone, in an empty folder that holds only the inputs.',
  'run-timeout': 'Make it faster (vectorise, no loops over rows, no waiting), or ask for a higher time limit.',
  'output-missing': 'Write every promised file, under its promised name, in the current directory, before main() returns.',
  'output-unreadable': 'Write the file in the format its name says, close it before main() returns, and keep it small enough to be read back.',
  'output-differs':
    'Make the script give the same result each time: sort before writing, seed every random generator, do not iterate over sets, and take dates from arguments or data, never from the clock.',
  'request-check-failed': 'Correct the script so that its output keeps this check; it was agreed before the code and stands as it is.',
  'pack-check-failed': "Correct the script so that its output holds the company's rule.",
  'check-broken': 'This check itself is broken, the script may be right: tell whoever maintains the pack.',
};

/** Told, and no reason to refuse a script that does what was asked. */
const WARNINGS: ReadonlySet<FindingCode> = new Set(['no-header', 'exit-code-lost', 'bad-input-unclear']);

/** Makes a finding with the usual remedy of its code. */
export function finding(code: FindingCode, message: string, more: Partial<Omit<Finding, 'code' | 'message'>> = {}): Finding {
  return { code, message, remedy: REMEDY[code], ...(WARNINGS.has(code) ? { severity: 'warning' as const } : {}), ...more };
}

/** A path as it stands in a sentence: quoted, without control characters, bounded. */
export function quoted(path: string): string {
  return JSON.stringify(path.length > 120 ? `${path.slice(0, 119)}…` : path);
}
