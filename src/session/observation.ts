import type { UncertainCall } from './bridged-tool.js';
import type { Changes } from './changes.js';
import type { Exposure } from './exposure.js';
import type { Finding } from './finding.js';
import type { Hash } from './json.js';
import type { CaughtUp, RestoreReport } from './restore-report.js';

/** Text with its middle cut out when it was too long. */
export interface BoundedText {
  text: string;
  /** Characters left out in the middle; 0 when whole. */
  omitted: number;
}

/** One thing a cell showed: text by MIME type, or an image kept as a blob. */
export interface Display {
  /** Bounded text forms by MIME type (`text/plain`, `text/html`, `text/markdown`, `application/json`). */
  text: Record<string, BoundedText>;
  /** Images by MIME type (`image/png`, `image/jpeg`): blob and size. */
  images: Record<string, { hash: Hash; bytes: number }>;
}

/** How an execution ended. `kernel-died`: the cell killed its kernel whenever it ran; variables and files are as they were before it. */
export type CellEnd = 'ok' | 'error' | 'timeout' | 'interrupted' | 'kernel-died';

/** What one cell did, as the guest reported it. Hostile text. */
export interface CellObservation {
  kind: 'cell';
  /** Number of the cell in the session's kernel, from 0. */
  k: number;
  ended: CellEnd;
  stdout: BoundedText;
  stderr: BoundedText;
  /** The last expression's value, if it has one. */
  result: Display | null;
  displays: Display[];
  /** For `error`: class, message and a traceback cut down to the user's lines. For other ends than `ok`: a sentence in `message`. */
  error: { type: string; message: string; traceback: string } | null;
  ms: number;
  /** What came back, where the kernel had to be started again for this cell. */
  restored?: RestoreReport;
  /** How its kernel died, once for each time the cell had to run again from the state before it. */
  again?: string[];
  /** Cells before it that ran again first, oldest first. */
  caughtUp?: CaughtUp[];
  /** Its calls of tools of which nobody knows whether they took effect. */
  uncertain?: UncertainCall[];
  /** Why the state after it was not saved, as a sentence. */
  unsaved?: string;
  /** In records of before kernels were restored: the variables of earlier cells are gone. */
  freshKernel?: boolean;
  /** What was left of it before it was stored; absent where nothing was hidden. */
  exposure?: Exposure;
}

/** A file that the script or the session leaves. */
export interface Artifact {
  /** Path relative to the workspace. */
  path: string;
  bytes: number;
  sha256: Hash;
  role: 'output' | 'script' | 'plot' | 'file';
  /** The path as a model may read it, where that is not the path itself. */
  shown?: string;
}

/** One check of the final script: passed, failed (with findings) or not run (with the reason). */
export interface CheckResult {
  /** `parses`, `main`, `credentials`, `runs`, `outputs`, `repeats`, `request:<number>` or `pack:<name>`. */
  check: string;
  state: 'passed' | 'failed' | 'not-run';
  detail: string;
}

/** What verification of a script found. Findings are data for `review` and `retry`. */
export interface VerificationObservation {
  kind: 'verification';
  ok: boolean;
  checks: CheckResult[];
  findings: Finding[];
  /** Files the script wrote in its first run; kept as blobs. */
  outputs: Artifact[];
  /** Of a follow-up whose script wrote its outputs: what they and the script changed against the last verified request. */
  changes?: Changes;
  stdout: BoundedText;
  stderr: BoundedText;
  /** Isolation that was active: a result under `none` says so. */
  isolation: 'bubblewrap' | 'none';
  ms: number;
  /** What was left of it before it was stored; absent where nothing was hidden. */
  exposure?: Exposure;
  /** The script holds values that a model may not read, so that no part of it is quoted. */
  hidesScript?: true;
}

/** What a closed request leaves for the person. */
export interface ArtifactsObservation {
  kind: 'artifacts';
  artifacts: Artifact[];
}

export type Observation = CellObservation | VerificationObservation;
