import type { Proxies } from './model/proxy.js';
import type { Exposure } from './session/exposure.js';
import type { ApprovalPolicy, Isolation, RequestBudget, RequestLimits, StrategyName } from './session/request.js';

/** US dollars per million tokens. All zero declares a free model. */
export interface Price {
  prompt: number;
  /** Prompt tokens served from the endpoint's cache. */
  cached: number;
  completion: number;
}

/** The embedded Temporal server, or one that `@temporalio/envconfig` finds. */
export type TemporalConfig =
  | { mode: 'embedded'; /** 0 picks a free port and remembers it in the data directory. */ port: number; uiPort: number | null }
  | { mode: 'external'; profile: string | null };

/** A folder that other hosts have too, such as a mounted network file system. */
export interface CheckpointsConfig {
  kind: 'folder';
  /** Absolute. */
  path: string;
}

/** Every option of the product with its final value: flags > environment > nl2code.config.yaml > defaults. Resolved once per process. Holds the model key and the credentials of proxies: never log it. */
export interface ResolvedConfig {
  /** Absolute folder of sessions, the embedded server's database and the host lock. */
  dataDir: string;
  /** Absolute folder of the Python environment and the Temporal dev server that set-up installs. */
  runtimeDir: string;
  namespace: string;
  taskQueue: string;
  temporal: TemporalConfig;
  model: {
    /** null: the bundled scripted model. */
    baseUrl: string | null;
    apiKey: string | null;
    /** File the key was read from, which is read again when it changes; null when it came otherwise. */
    apiKeyFile: string | null;
    name: string;
    maxOutputTokens: number;
    /** Tokens the model takes, prompt and reply together. */
    contextTokens: number;
    /** No byte of a reply for so long is a stall. */
    stallMs: number;
    /** Left to the endpoint when null. */
    temperature: number | null;
    /** File of certificates that are trusted beside Node's own, or null. */
    caFile: string | null;
    /** The option that names it. It is read by what speaks to the endpoint, and refused there. */
    caFrom: string;
    /** Proxies of the environment. May hold credentials: never log them. */
    proxies: Proxies;
    /** By model name; prices declared in the configuration stand over the built-in table. */
    prices: Record<string, Price>;
  };
  sandbox: { backend: string; isolation: Isolation; /** Warm sandboxes kept ready. */ pool: number; leaseMs: number };
  /** Folders that hold packs, looked through in order. */
  packDirs: string[];
  /** Where saved states of kernels are kept beside this machine's disk, so that another host has them; null: nowhere. */
  checkpoints: CheckpointsConfig | null;
  /** What survives: any `kill -9`, or a power cut too. */
  durability: 'process' | 'host';
  /** What of the data a model may read at most; a request may ask for less. */
  exposure: { max: Exposure };
  /** Tools of the host that a request may call, and those it gets when it does not say; null: those it names. */
  tools: { allow: string[] | null };
  /** What a request gets when it does not say. */
  defaults: {
    strategy: StrategyName;
    pack: string | null;
    approval: ApprovalPolicy;
    exposure: Exposure;
    approvalExpiryMs: number;
    /** `maxRepairs` null: what the strategy suits (`defaultRepairs`). */
    limits: Omit<RequestLimits, 'maxRepairs'> & { maxRepairs: number | null };
    budget: RequestBudget;
  };
  admission: { /** Absolute folders inputs may come from, beside the working directory. */ allow: string[]; maxInputBytes: number; maxPromptChars: number };
}

export { resolveConfig, type ConfigFlags, type ConfigSources } from './config/resolve-config.js';
