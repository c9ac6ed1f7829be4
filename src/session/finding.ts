/** Something verification found wrong with the script: data for the model and the person, never an exception. */
export interface Finding {
  code: FindingCode;
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
  | 'run-failed'
  | 'run-timeout'
  | 'output-missing'
  | 'output-unreadable'
  | 'output-differs'
  | 'pack-check-failed'
  | 'check-broken';
