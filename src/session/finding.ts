/** Something verification found wrong with the script: data for the model and the person, never an exception. */
export interface Finding {
  code: FindingCode;
  /** A warning is told, and does not keep a script from being verified. */
  severity?: 'warning';
  /** One sentence that says what is wrong, with the value. */
  message: string;
  /** What to do about it. */
  remedy: string;
  /** 1-based line of the script, where one is known. */
  line?: number;
  /** File or output concerned. */
  path?: string;
}

export type FindingCode =
  | 'script-missing'
  | 'syntax-error'
  | 'no-main'
  | 'credentials'
  | 'unknown-import'
  | 'unknown-call'
  | 'wrong-arguments'
  | 'reads-clock'
  | 'needs-session'
  | 'no-header'
  | 'exit-code-lost'
  | 'run-failed'
  | 'run-timeout'
  | 'bad-input-unclear'
  | 'output-missing'
  | 'output-unreadable'
  | 'output-differs'
  | 'request-check-failed'
  | 'pack-check-failed'
  | 'check-broken';
