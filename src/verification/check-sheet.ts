import type { Finding } from '../session/finding.js';
import type { CheckResult } from '../session/observation.js';

/** Findings beyond this are dropped: the model repairs what it can read. */
const MAX_FINDINGS = 40;
const DETAIL_CHARS = 600;

/** The checks of one verification, in the order of their decisions, and what they found. */
export class CheckSheet {
  readonly checks: CheckResult[] = [];
  readonly findings: Finding[] = [];
  private readonly open: string[];

  constructor(
    names: readonly string[],
    private readonly onProgress: ((check: CheckResult) => void) | undefined,
  ) {
    this.open = [...names];
  }

  /** True while nothing failed and nothing but warnings was found. */
  get ok(): boolean {
    return this.findings.every(isWarning) && this.checks.every((check) => check.state !== 'failed');
  }

  /** Decides a check by its findings: none, or warnings only, is a pass. Returns whether it passed. */
  decide(check: string, findings: readonly Finding[], detail: string): boolean {
    this.findings.push(...findings.slice(0, MAX_FINDINGS - this.findings.length));
    const passed = findings.every(isWarning);
    this.add(check, passed ? 'passed' : 'failed', findings.find((found) => !isWarning(found))?.message ?? (findings[0] ? `warning: ${findings[0].message}` : detail));
    return passed;
  }

  skip(check: string, reason: string): void {
    this.add(check, 'not-run', reason);
  }

  /** Takes a name off the list of what is still open, when its results carry names of their own. */
  replace(check: string): void {
    const at = this.open.indexOf(check);
    if (at >= 0) this.open.splice(at, 1);
  }

  /** Whether a check of this name was decided. */
  has(check: string): boolean {
    return this.checks.some((known) => known.check === check);
  }

  /** All that is still open was not run, for this reason. */
  close(reason: string): void {
    for (const check of [...this.open]) this.skip(check, reason);
  }

  private add(check: string, state: CheckResult['state'], detail: string): void {
    this.replace(check);
    const result = { check, state, detail: detail.slice(0, DETAIL_CHARS) };
    this.checks.push(result);
    this.onProgress?.(result);
  }
}

const isWarning = ({ severity }: Finding): boolean => severity === 'warning';
