import { statSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import type { Price, ResolvedConfig } from '../config.js';
import { Nl2codeError } from '../session/error-table.js';
import { DEFAULT_EXPOSURE, looser, strictest, type Exposure } from '../session/exposure.js';
import { configPath, findConfigFile, readConfigFile } from './config-file.js';
import { readKeyFile } from './key-file.js';
import { environmentLayer, fileLayer, mergeLayers, type Layer } from './layers.js';
import { packageRoot } from './package-root.js';
import { proxySettings } from './proxy-settings.js';
import type { GivenConfig } from './schema.js';
import { profileNamespace } from '../temporal-connection.js';

/** Options given on the command line or by a caller; they stand over everything else. Relative paths are relative to `cwd`. */
export interface ConfigFlags {
  /** Names the configuration file instead of searching one. */
  config?: string;
  dataDir?: string;
  runtimeDir?: string;
  namespace?: string;
  taskQueue?: string;
  temporal?: 'embedded' | 'external';
  temporalPort?: number;
  uiPort?: number | null;
  /** `scripted` picks the bundled scripted model whatever the environment says. */
  model?: string;
  baseUrl?: string;
  sandbox?: string;
  isolation?: string;
  pool?: number;
  packs?: string[];
  durability?: string;
  allow?: string[];
}

export interface ConfigSources {
  flags?: ConfigFlags;
  env: Record<string, string | undefined>;
  /** Absolute working directory. */
  cwd: string;
}

const FLAGS: Record<Exclude<keyof ConfigFlags, 'config'>, [key: string, name: string]> = {
  dataDir: ['dataDir', '--data-dir'],
  runtimeDir: ['runtimeDir', '--runtime-dir'],
  namespace: ['namespace', '--namespace'],
  taskQueue: ['taskQueue', '--task-queue'],
  temporal: ['temporal.mode', '--temporal'],
  temporalPort: ['temporal.port', '--temporal-port'],
  uiPort: ['temporal.uiPort', '--ui-port'],
  model: ['model.name', '--model'],
  baseUrl: ['model.baseUrl', '--base-url'],
  sandbox: ['sandbox.backend', '--sandbox'],
  isolation: ['sandbox.isolation', '--isolation'],
  pool: ['sandbox.pool', '--pool'],
  packs: ['packs', '--packs'],
  durability: ['durability', '--durability'],
  allow: ['admission.allow', '--allow'],
};

const OPENAI = 'https://api.openai.com/v1';
const OPENAI_MODEL = 'gpt-4.1';
const SCRIPTED = 'scripted';
const LEAST_PROMPT_TOKENS = 3000;
const GIB = 2 ** 30;

/** Every option with its final value: flags > environment > `nl2code.config.yaml` > defaults. Reads the disk, writes nothing. Throws `bad-request` with one sentence. */
export function resolveConfig({ flags = {}, env, cwd }: ConfigSources): ResolvedConfig {
  const home = env.HOME && isAbsolute(env.HOME) ? env.HOME : null;
  const file = flags.config === undefined ? findConfigFile(cwd, home) : resolve(cwd, flags.config);
  const { given, from } = mergeLayers([flagLayer(flags), environmentLayer(env), ...(file ? [fileLayer(readConfigFile(file), file)] : [])]);
  const place = (key: string, value: string) => (from(key) === file && file ? configPath(value, dirname(file), home) : resolve(cwd, value));
  const root = packageRoot();
  const profile = given.temporal?.profile ?? null;
  const external = (given.temporal?.mode ?? 'embedded') === 'external';
  const max = given.exposure?.max ?? 'full';
  const dataDir = given.dataDir === undefined ? defaultDataDir(env, home) : place('dataDir', given.dataDir);
  const { limits, budget, ...defaults } = given.defaults ?? {};
  return {
    dataDir,
    runtimeDir: given.runtimeDir === undefined ? join(root, '.runtime') : place('runtimeDir', given.runtimeDir),
    namespace: given.namespace ?? (external ? profileNamespace(profile, env) : null) ?? 'default',
    taskQueue: given.taskQueue ?? 'nl2code',
    temporal: external ? { mode: 'external', profile } : { mode: 'embedded', port: given.temporal?.port ?? 0, uiPort: given.temporal?.uiPort ?? null },
    model: {
      ...endpoint(given.model, env, place, from),
      ...modelWindow(given.model),
      stallMs: given.model?.stallMs ?? 120_000,
      temperature: given.model?.temperature ?? null,
      proxies: proxySettings(env),
      prices: prices(given.prices ?? {}),
    },
    sandbox: { backend: 'process', isolation: 'bubblewrap', pool: 1, leaseMs: 600_000, ...given.sandbox },
    packDirs: packDirs(given.packs?.map((value) => place('packs', value)), from('packs'), cwd, root),
    checkpoints: checkpoints(given.checkpoints, place, dataDir),
    durability: given.durability ?? 'process',
    exposure: { max },
    tools: { allow: given.tools?.allow ?? null },
    defaults: {
      strategy: 'codeact',
      pack: null,
      approval: 'never',
      approvalExpiryMs: 7 * 86_400_000,
      ...defaults,
      exposure: defaultExposure(defaults.exposure, max),
      limits: { cellTimeoutMs: 120_000, scriptTimeoutMs: 300_000, memoryBytes: 2 * GIB, diskBytes: 2 * GIB, maxRepairs: null, stepsPerRun: 75, ...limits },
      budget: { maxSteps: 40, maxCostUsd: null, maxTokens: null, deadline: null, ...budget },
    },
    admission: { maxInputBytes: 2_000_000_000, maxPromptChars: 100_000, ...given.admission, allow: (given.admission?.allow ?? []).map((value) => place('admission.allow', value)) },
  };
}

/** Where states are kept beside the data directory. Whether the folder is there is told by who uses it: a file system that is away holds up no session. */
function checkpoints(given: GivenConfig['checkpoints'], place: Place, dataDir: string): ResolvedConfig['checkpoints'] {
  if (given === undefined || Object.keys(given).length === 0) return null;
  if (given.path === undefined) throw new Nl2codeError('bad-request', 'checkpoints names no path: set checkpoints.path to a folder that other hosts have too, or leave checkpoints out.', { remedy: '' });
  const path = place('checkpoints.path', given.path);
  if (!relative(dataDir, path).startsWith('..')) throw new Nl2codeError('bad-request', `checkpoints.path is ${JSON.stringify(path)}, which is in the data directory and would be lost with it: name a folder on another disk.`, { remedy: '' });
  return { kind: given.kind ?? 'folder', path };
}

/** Tokens a model takes and gives. Throws where a reply could leave no room for a prompt. */
function modelWindow({ contextTokens = 128_000, maxOutputTokens = 8192 }: { contextTokens?: number; maxOutputTokens?: number } = {}) {
  if (contextTokens - maxOutputTokens >= LEAST_PROMPT_TOKENS) return { contextTokens, maxOutputTokens };
  throw new Nl2codeError(
    'bad-request',
    `model.contextTokens is ${contextTokens} and model.maxOutputTokens is ${maxOutputTokens}, which leaves fewer than ${LEAST_PROMPT_TOKENS} tokens for a prompt: raise the first to what the model takes, or lower the second.`,
    { remedy: '' },
  );
}

/** What a request gets that does not say: never more than the most. */
function defaultExposure(given: Exposure | undefined, max: Exposure): Exposure {
  if (given && looser(given, max)) throw new Nl2codeError('bad-request', `defaults.exposure is ${JSON.stringify(given)}, which shows more than exposure.max, ${JSON.stringify(max)}, allows: set it to ${max} or less, or leave it out.`, { remedy: '' });
  return given ?? strictest([DEFAULT_EXPOSURE, max]);
}

function flagLayer(flags: ConfigFlags): Layer {
  const layer: Layer = new Map();
  for (const [flag, [key, name]] of Object.entries(FLAGS)) {
    const value = flags[flag as keyof ConfigFlags];
    if (value !== undefined) layer.set(key, { value, from: name });
  }
  return layer;
}

function defaultDataDir(env: ConfigSources['env'], home: string | null): string {
  if (env.XDG_DATA_HOME && isAbsolute(env.XDG_DATA_HOME)) return join(env.XDG_DATA_HOME, 'nl2code');
  if (home) return join(home, '.local', 'share', 'nl2code');
  throw new Nl2codeError('bad-request', `HOME is ${env.HOME ? JSON.stringify(env.HOME) : 'not set'}, so there is no place for the data directory: set HOME, or name one with --data-dir or NL2CODE_DATA_DIR.`, { remedy: '' });
}

type Place = (key: string, value: string) => string;
type From = (key: string) => string | undefined;

/** A key without a base URL means OpenAI; a base URL without a key is a local server; neither is the scripted model, which needs no files. */
function endpoint(given: GivenConfig['model'] = {}, env: ConfigSources['env'], place: Place, from: From) {
  if (given.name === SCRIPTED) return { baseUrl: null, apiKey: null, apiKeyFile: null, caFile: null, caFrom: 'model.caFile', name: SCRIPTED };
  const apiKeyFile = env.OPENAI_API_KEY || given.apiKeyFile === undefined ? null : place('model.apiKeyFile', given.apiKeyFile);
  const apiKey = apiKeyFile === null ? env.OPENAI_API_KEY || null : keyIn(apiKeyFile, from('model.apiKeyFile'));
  const baseUrl = given.baseUrl?.replace(/\/+$/, '') ?? (apiKey ? OPENAI : null);
  const caFile = baseUrl === null || given.caFile === undefined ? null : place('model.caFile', given.caFile);
  return { baseUrl, apiKey, apiKeyFile, caFile, caFrom: from('model.caFile') ?? 'model.caFile', name: given.name ?? (baseUrl === null ? SCRIPTED : OPENAI_MODEL) };
}

function keyIn(path: string, from = 'model.apiKeyFile'): string {
  let key: string | null;
  try {
    key = readKeyFile(path);
  } catch (error) {
    throw new Nl2codeError('bad-request', `The key file ${path} (from ${from}) can't be read (${(error as NodeJS.ErrnoException).code}): correct the path or its permissions.`, { cause: error, remedy: '' });
  }
  if (key === null) throw new Nl2codeError('bad-request', `The key file ${path} (from ${from}) does not hold one key: write the key and nothing else into it.`, { remedy: '' });
  return key;
}

function prices(given: Record<string, { prompt: number; cached?: number | undefined; completion: number }>): Record<string, Price> {
  return Object.fromEntries(Object.entries(given).map(([name, price]) => [name, { ...price, cached: price.cached ?? price.prompt }]));
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** Named folders, else `./packs` where there is one; the package's own packs always come last. */
function packDirs(named: string[] | undefined, from: string | undefined, cwd: string, root: string): string[] {
  const missing = named?.find((path) => !isFolder(path));
  if (missing !== undefined) throw new Nl2codeError('bad-request', `The packs folder ${JSON.stringify(missing)} (from ${from}) is not a folder: correct the path, or leave it out.`, { remedy: '' });
  return [...new Set([...(named ?? [join(cwd, 'packs')].filter(isFolder)), join(root, 'packs')])];
}
