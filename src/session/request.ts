import type { Exposure } from './exposure.js';
import type { Hash } from './json.js';

/** A file that admission has copied into the session; every run sees it read-only at `/inputs/<name>`. */
export interface InputRef {
  /** File name as the user gave it (base name only: no slash, not `.` or `..`); any other Unicode is allowed. */
  name: string;
  sha256: Hash;
  bytes: number;
  /** What a model may read of it at most, where it has a say of its own. */
  exposure?: Exposure;
}

/** A file that the final script promises to write. `path` is relative to the workspace. */
export interface OutputSpec {
  path: string;
}

/** The approaches a request may ask for. */
export const STRATEGIES = ['codeact', 'single-shot', 'chained', 'react', 'auto'] as const;
export type StrategyName = (typeof STRATEGIES)[number];

/** When a person is asked: about the plan before any code, about each cell and the script, about the script alone. */
export const APPROVAL_POLICIES = ['never', 'plan', 'every-cell', 'final'] as const;
export type ApprovalPolicy = (typeof APPROVAL_POLICIES)[number];

/** The strategies that plan before anything is written. */
const PLANNING: readonly StrategyName[] = ['codeact', 'chained'];

/** Why a policy and a strategy don't go together, as a sentence; undefined when they do. Pure. */
export function approvalProblem(policy: ApprovalPolicy, strategy: StrategyName): string | undefined {
  if (policy !== 'plan' || PLANNING.includes(strategy)) return undefined;
  const why = strategy === 'auto' ? 'writes a first script before any plan' : 'makes no plan';
  return `The approval policy "plan" does not fit strategy ${strategy}, which ${why}: choose ${PLANNING.join(' or ')}, or approval "final".`;
}

/** Where generated code runs. `none` is development only and must be asked for by name. */
export type Isolation = 'bubblewrap' | 'none';

export interface RequestLimits {
  /** Wall time of one cell before it is interrupted. */
  cellTimeoutMs: number;
  /** Wall time of one run of the final script. */
  scriptTimeoutMs: number;
  /** Resident memory of one sandbox. */
  memoryBytes: number;
  /** Size of one sandbox's workspace. */
  diskBytes: number;
  /** How often a failed verification may be handed back to the model. */
  maxRepairs: number;
  /** Steps in one workflow run before it continues as new. */
  stepsPerRun: number;
}

export interface RequestBudget {
  /** Upper bound of steps (plan, code, execute, review, retry) for this request. */
  maxSteps: number;
  /** US dollars for this request's model calls, or null for no bound. */
  maxCostUsd: number | null;
  /** Prompt and completion tokens of this request's model calls, or null for no bound. */
  maxTokens: number | null;
  /** When the request ends with what it has: an ISO 8601 instant in UTC, or null. */
  deadline: string | null;
}

/** One admitted request: all options resolved, inputs already in the session. Plain JSON, so that a Schedule can start it. */
export interface Request {
  /** Unique within the session; the same id sent again is the same request. */
  id: string;
  prompt: string;
  strategy: StrategyName;
  /** Name of a context pack, or null. */
  pack: string | null;
  inputs: InputRef[];
  /** Files that only checks may read; they never enter a sandbox that runs generated code. */
  truth: InputRef[];
  outputs: OutputSpec[];
  /** Model name as the endpoint knows it. */
  model: string;
  /** Tokens a prompt may have, at four characters each: older steps are shortened before it is longer. Absent: never. */
  promptTokens?: number;
  /** Name of the sandbox backend. */
  sandbox: string;
  isolation: Isolation;
  limits: RequestLimits;
  budget: RequestBudget;
  /** What of the data a model may read; see `exposureOf`. Absent in requests of older versions. */
  exposure?: Exposure;
  approval: { policy: ApprovalPolicy; /** How long a proposal waits before it expires. */ expiryMs: number };
  /** Names of the tools of the host that code in a cell may call; absent for none. */
  tools?: string[];
  labels: Record<string, string>;
  /** Set on a follow-up: what it follows in its session. */
  follows?: Follows;
}

/** What a follow-up goes on from. Everything said and done before is in the session's chain. */
export interface Follows {
  /** Id of the session's request before this one. */
  request: string;
  /** Whether it brings inputs the session did not have: they are inspected first. */
  newInputs: boolean;
}
