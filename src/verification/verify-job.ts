import type { PackCheck } from '../context/pack.js';
import type { SandboxLimits, SandboxSpec } from '../sandbox/backend.js';
import type { AcceptanceCheck } from '../session/acceptance-check.js';
import type { Hash } from '../session/json.js';
import type { CheckResult, VerificationObservation } from '../session/observation.js';
import type { Isolation, OutputSpec } from '../session/request.js';

/** One final script to verify, with everything its sandboxes need. */
export interface VerifyJob {
  session: string;
  /** Absolute host folder for the throw-away sandboxes; emptied first, removed afterwards. */
  folder: string;
  /** The script's text; null when what was handed in is no file. */
  script: string | null;
  /** Files the script promises to write. */
  outputs: OutputSpec[];
  inputs: { name: string; path: string }[];
  /** Files that only pack checks read; never shown to generated code. */
  truth: { name: string; path: string }[];
  mounts: SandboxSpec['mounts'];
  pythonPath: string[];
  /** The pack's host folder and those of its checks that apply; null without a pack. */
  pack: { folder: string; checks: Pick<PackCheck, 'id' | 'module' | 'truth'>[] } | null;
  /** What the request agreed on before its code, in order. */
  checks: readonly AcceptanceCheck[];
  limits: SandboxLimits;
  /** Wall time of one run. */
  scriptTimeoutMs: number;
  isolation: Isolation;
  /** Hash seed of the first run; the second gets another. */
  hashSeed: number;
  /** What the requester asked for in this session so far, oldest first; the last is what this script answers. */
  asked?: string[];
  /** What the last verified request of the session left; missing without one. */
  before?: Before;
  /** Declared key columns by output path. */
  keys?: Record<string, string>;
  /** Stores what an opened descriptor holds as a blob, at most `maxBytes`. */
  keep(fd: number, maxBytes: number): { hash: Hash; bytes: number };
}

/** The last verified request of a session, as far as its follow-up is held against it. */
export interface Before {
  request: string;
  /** How many of the job's `asked` it had answered. */
  answered: number;
  script: { hash: Hash; text: string };
  /** Files its script wrote. */
  outputs: string[];
  /** Copies one of them to a new file of the host. */
  copyTo(path: string, to: string): void;
}

export interface VerifyHooks {
  signal: AbortSignal;
  /** Called once for every check, as soon as it is decided. */
  onProgress?(check: CheckResult): void;
}

export interface Verifier {
  /**
   * Verifies a script in fresh sandboxes. What is wrong with the script is a finding; throws only for infrastructure that
   * failed, and `AbortError` when the signal fires. Sandboxes and folder are gone when it returns or throws.
   */
  verify(job: VerifyJob, hooks: VerifyHooks): Promise<VerificationObservation>;
}
