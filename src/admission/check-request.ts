import { basename } from 'node:path';
import type { ResolvedConfig } from '../config.js';
import { SANDBOX_BACKENDS } from '../config/schema.js';
import { listPacks, loadPack } from '../context/pack.js';
import type { ModelEndpoint } from '../model/endpoint.js';
import { priceOf } from '../model/prices.js';
import { Nl2codeError, standing } from '../session/error-table.js';
import type { Exposure } from '../session/exposure.js';
import { APPROVAL_POLICIES, approvalProblem, STRATEGIES, type ApprovalPolicy, type Isolation, type Request, type StrategyName } from '../session/request.js';
import { checkFirstCall, checkPrice, resolveBudget, resolveExpiry, resolveLimits } from './bounded-options.js';
import { contentProblem } from './content.js';
import { openInput, type InputPolicy } from './input-file.js';
import { resolveExposure, resolveInputs } from './exposure.js';
import { resolveOutputs } from './output-paths.js';
import { refusal, shown } from './refusal.js';
import { checkKeys, checkTexts, type RequestOptions } from './request-options.js';
import { resolveTools } from './tools.js';

/** Where admission runs. */
export interface AdmissionPlace {
  /** Absolute folder that relative inputs start from, and the first allowed root. */
  cwd?: string;
  /** Asked whether the model exists; made from the configuration when missing. */
  endpoint?: Pick<ModelEndpoint, 'probe'>;
}

/** A request that may start: everything resolved but its inputs' snapshots. */
export interface CheckedRequest {
  request: Omit<Request, 'id' | 'inputs' | 'truth'>;
  inputs: string[];
  /** What each input says of its own exposure. */
  exposures: (Exposure | undefined)[];
  truth: string[];
  policy: InputPolicy;
  /** The request has an idempotency key: its session may exist already. */
  keyed: boolean;
}

const PROBE_MS = 10_000;
const MAX_LABELS = 32;
const MAX_INPUTS = 200;

/** Checks everything that can be checked without writing, so that a refusal leaves nothing behind. Client side; reads the inputs and asks the model endpoint. Throws `bad-request`, `bad-input`, `price-unknown` or `model-*`. */
export async function checkRequest(options: RequestOptions, config: ResolvedConfig, place: AdmissionPlace = {}): Promise<CheckedRequest> {
  checkKeys(options, 'The request');
  checkIdempotencyKey(options.idempotencyKey);
  const { defaults } = config;
  const strategy = oneOf('strategy', options.strategy ?? defaults.strategy, STRATEGIES);
  const model = text('model', options.model ?? config.model.name);
  const budget = resolveBudget(options.budget, config, strategy);
  const { paths: inputs, exposures } = resolveInputs(options.inputs, config);
  const truth = checkTexts(options.truth ?? [], 'truth');
  const approval = typeof options.approval === 'object' && options.approval !== null ? options.approval : { policy: options.approval ?? defaults.approval };
  checkKeys(approval, 'approval', ['policy', 'expiryMs']);
  const request = {
    prompt: checkPrompt(options.prompt, config.admission.maxPromptChars),
    strategy,
    pack: await checkPack(options.pack === undefined ? defaults.pack : options.pack, config.packDirs),
    outputs: resolveOutputs(options.outputs ?? [], inputs.map((path) => basename(path))),
    ...resolveTools(options.tools, config, strategy),
    exposure: resolveExposure(options.exposure, config),
    model,
    promptTokens: promptTokens(config.model),
    sandbox: oneOf('sandbox', options.sandbox ?? config.sandbox.backend, SANDBOX_BACKENDS),
    isolation: oneOf('isolation', options.isolation ?? config.sandbox.isolation, ['bubblewrap', 'none'] satisfies Isolation[]),
    limits: resolveLimits(options.limits, config, strategy),
    budget,
    approval: { policy: checkPolicy(approval.policy, strategy), expiryMs: resolveExpiry((approval as { expiryMs?: number }).expiryMs, config) },
    labels: checkLabels(options.labels ?? {}),
  };
  const price = priceOf(model, config.model.prices);
  checkPrice(budget, model, price);
  checkFirstCall(request, config.model.maxOutputTokens, price);
  const cwd = place.cwd ?? process.cwd();
  const policy = { roots: [cwd, ...config.admission.allow], maxBytes: config.admission.maxInputBytes, cwd };
  await checkFiles(inputs, truth, policy);
  await checkModel(model, config, place.endpoint);
  return { request, inputs, exposures, truth, policy, keyed: options.idempotencyKey !== undefined };
}

/** Of the room that a reply leaves: code and numbers take more tokens than the four characters each that are counted. */
const PROMPT_SHARE = 0.75;

function promptTokens({ contextTokens, maxOutputTokens }: Pick<ResolvedConfig['model'], 'contextTokens' | 'maxOutputTokens'>): number {
  return Math.floor((contextTokens - maxOutputTokens) * PROMPT_SHARE);
}

function text(what: string, value: unknown): string {
  if (typeof value !== 'string' || !value.trim()) throw refusal(`${what} is ${shown(value)}: name one, or leave it out for the default.`);
  return value;
}

function oneOf<T extends string>(what: string, value: unknown, known: readonly T[]): T {
  if ((known as readonly unknown[]).includes(value)) return value as T;
  throw refusal(`The ${what} ${shown(value)} is not known: choose one of ${known.join(', ')}.`);
}

/** A prompt that may start. Throws `bad-request`. Pure. */
export function checkPrompt(prompt: unknown, maxChars: number): string {
  if (typeof prompt !== 'string' || !prompt.trim()) throw refusal(`The prompt is ${prompt === undefined ? 'missing' : typeof prompt === 'string' ? 'empty' : shown(prompt)}: say in a sentence what is to be done.`);
  if (prompt.length > maxChars) {
    throw refusal(
      `The prompt has ${prompt.length.toLocaleString('en-US')} characters, more than the limit of ${maxChars.toLocaleString('en-US')}: shorten it and give data as --input, or raise admission.maxPromptChars in nl2code.config.yaml.`,
    );
  }
  return prompt;
}

function checkPolicy(given: unknown, strategy: StrategyName): ApprovalPolicy {
  const policy = oneOf('approval policy', given, APPROVAL_POLICIES);
  const problem = approvalProblem(policy, strategy);
  if (problem) throw refusal(problem);
  return policy;
}

async function checkPack(name: unknown, packDirs: string[]): Promise<string | null> {
  if (name === null) return null;
  const known = (await listPacks(packDirs)).map((pack) => pack.name);
  // Loading it refuses a pack that is broken.
  if (typeof name === 'string' && known.includes(name)) return (await loadPack(name, packDirs)).name;
  throw refusal(`The pack ${shown(name)} is not known: ${known.length > 0 ? `choose one of ${known.join(', ')}` : 'no pack was found'}, or add its folder with NL2CODE_PACKS.`);
}

function checkLabels(labels: unknown): Record<string, string> {
  if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) throw refusal(`labels is ${shown(labels)}: give an object of texts.`);
  const entries = Object.entries(labels);
  if (entries.length > MAX_LABELS) throw refusal(`The request has ${entries.length} labels: give at most ${MAX_LABELS}.`);
  for (const [key, value] of entries) {
    if (typeof value !== 'string') throw refusal(`The label ${shown(key)} is ${shown(value)}, which is not text: put it in quotes.`);
    if (!key.trim() || key.length > 64 || value.length > 256) throw refusal(`The label ${shown(key)} is too long or empty: use a key of 1 to 64 and a value of at most 256 characters.`);
  }
  return { ...(labels as Record<string, string>) };
}

function checkIdempotencyKey(key: unknown): void {
  if (key === undefined || (typeof key === 'string' && key.trim() && key.length <= 256)) return;
  throw refusal(`The idempotency key is ${shown(key)}: give a text of 1 to 256 characters, or leave it out.`);
}

async function checkFiles(inputs: string[], truth: string[], policy: InputPolicy): Promise<void> {
  if (inputs.length + truth.length > MAX_INPUTS) throw refusal(`The request has ${inputs.length + truth.length} files: give at most ${MAX_INPUTS}.`);
  const shownToModel = await checkNames(inputs, 'inputs', policy);
  for (const [file, path] of await checkNames(truth, 'truth files', policy)) {
    if (shownToModel.has(file)) throw refusal(`The truth file ${shown(path)} is an input too, so the generated code would see the answers: give it as one of them.`);
  }
}

/** Every file by device and inode, with the path it was given by. */
async function checkNames(paths: string[], what: string, policy: InputPolicy): Promise<Map<string, string>> {
  const byName = new Map<string, string>();
  const files = new Map<string, string>();
  for (const path of paths) {
    const { handle, name, stat } = await openInput(path, policy);
    try {
      const other = byName.get(name);
      if (other !== undefined) throw refusal(`The ${what} ${shown(other)} and ${shown(path)} have the same name ${shown(name)}: rename one.`, 'bad-input');
      byName.set(name, path);
      files.set(`${stat.dev}:${stat.ino}`, path);
      const problem = await contentProblem(handle, name, Number(stat.size));
      if (problem) throw refusal(`The input ${shown(path)} ${problem}`, 'bad-input');
    } finally {
      await handle.close();
    }
  }
  return files;
}

async function checkModel(model: string, config: ResolvedConfig, endpoint?: AdmissionPlace['endpoint']): Promise<void> {
  const { baseUrl } = config.model;
  if (!endpoint && baseUrl === null) {
    if (model === 'scripted') return;
    throw refusal(`The model ${shown(model)} is not known, because no endpoint is configured: set OPENAI_API_KEY or OPENAI_BASE_URL, or leave the model out for the scripted one.`, 'model-not-found');
  }
  try {
    const asked = endpoint ?? (await import('../model/openai-endpoint.js')).createOpenAiEndpoint({ ...config.model, baseUrl: baseUrl! });
    await asked.probe(model, { timeoutMs: PROBE_MS });
  } catch (error) {
    if (!(error instanceof Nl2codeError)) throw error;
    throw refusal(standing(error.message), error.code, error);
  }
}

