import { delimiter } from 'node:path';
import { z } from 'zod';
import { Nl2codeError } from '../session/error-table.js';
import { nearest } from './nearest.js';
import { configSchema, type GivenConfig } from './schema.js';

/** Options of one source by dotted key, with the name a person knows each by. */
export type Layer = Map<string, { value: unknown; from: string }>;

const ENVIRONMENT: Record<string, string> = {
  NL2CODE_DATA_DIR: 'dataDir',
  NL2CODE_RUNTIME_DIR: 'runtimeDir',
  NL2CODE_TASK_QUEUE: 'taskQueue',
  NL2CODE_MODEL: 'model.name',
  NL2CODE_SANDBOX: 'sandbox.backend',
  NL2CODE_ISOLATION: 'sandbox.isolation',
  NL2CODE_PACKS: 'packs',
  NL2CODE_DURABILITY: 'durability',
  OPENAI_BASE_URL: 'model.baseUrl',
  OPENAI_API_KEY_FILE: 'model.apiKeyFile',
  SSL_CERT_FILE: 'model.caFile',
  TEMPORAL_NAMESPACE: 'namespace',
  TEMPORAL_PROFILE: 'temporal.profile',
};

/** Environment variables as options. An empty variable is an unset one. */
export function environmentLayer(env: Record<string, string | undefined>): Layer {
  const layer: Layer = new Map();
  for (const [name, key] of Object.entries(ENVIRONMENT)) {
    const value = env[name];
    if (value) layer.set(key, { value: key === 'packs' ? value.split(delimiter).filter(Boolean) : value, from: name });
  }
  const external = ['TEMPORAL_ADDRESS', 'TEMPORAL_PROFILE', 'TEMPORAL_CONFIG_FILE'].find((name) => env[name]);
  if (external) layer.set('temporal.mode', { value: 'external', from: external });
  return layer;
}

/** The content of a configuration file as options; what is not a known key is kept for `mergeLayers` to refuse. */
export function fileLayer(content: unknown, path: string): Layer {
  const layer: Layer = new Map();
  const visit = (value: unknown, key: string) => {
    if (isSection(value) && key !== 'prices') for (const [name, member] of Object.entries(value)) visit(member, key ? `${key}.${name}` : name);
    else if (key || value !== null) layer.set(key, { value, from: path });
  };
  visit(content, '');
  return layer;
}

function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Lays the sources over one another, the first wins, and checks the result. Throws `bad-request` with value, type, source and remedy. */
export function mergeLayers(layers: Layer[]): { given: GivenConfig; from: (key: string) => string | undefined } {
  const merged: Layer = new Map();
  for (const layer of layers) for (const [key, option] of layer) if (!merged.has(key)) merged.set(key, option);
  const whole = merged.get('');
  if (whole) throw wrong(`The configuration in ${whole.from} is ${show(whole.value)}, which is not a section of keys and values; write one option a line, such as "durability: host".`);
  const tree = bare();
  for (const [key, { value }] of merged) place(tree, key.split('.'), value);
  const result = configSchema.safeParse(tree);
  if (!result.success) throw complain(result.error, tree, merged);
  return { given: result.data, from: (key) => merged.get(key)?.from };
}

/** Without a prototype, so that a key named `__proto__` is a key like any other. */
function bare(): Record<string, unknown> {
  return Object.create(null) as Record<string, unknown>;
}

function place(tree: Record<string, unknown>, keys: string[], value: unknown): void {
  const [head, ...rest] = keys as [string, ...string[]];
  if (rest.length === 0) {
    tree[head] ??= value;
    return;
  }
  if (!isSection(tree[head])) tree[head] = bare();
  place(tree[head] as Record<string, unknown>, rest, value);
}

function complain(error: z.ZodError, tree: unknown, merged: Layer): Nl2codeError {
  const unknown = error.issues.find((issue) => issue.code === 'unrecognized_keys');
  if (unknown) {
    const key = [...unknown.path.map(String), unknown.keys[0]!].join('.');
    const known = knownKeys(unknown.path.map(String));
    const guess = nearest(unknown.keys[0]!, known);
    const remedy = guess ? `did you mean ${JSON.stringify([...unknown.path, guess].join('.'))}?` : `the known keys here are ${known.join(', ')}.`;
    return wrong(`The key ${JSON.stringify(key)} in ${source(key, merged)} is not an option: ${remedy}`);
  }
  const issue = error.issues[0]!;
  const key = issue.path.join('.');
  let value = tree;
  for (const name of issue.path) value = (value as Record<PropertyKey, unknown> | undefined)?.[name];
  const from = source(key, merged);
  const name = from.includes('/') || from.includes('\\') ? `${key} in ${from}` : from;
  return wrong(`${name} is ${show(value)}, which is not ${issue.message}; set it to ${issue.message}, or leave it out for the default.`);
}

function source(key: string, merged: Layer): string {
  for (let name = key; ; name = name.slice(0, name.lastIndexOf('.'))) {
    const found = merged.get(name) ?? [...merged].find(([other]) => other.startsWith(`${name}.`))?.[1];
    if (found) return found.from;
    if (!name.includes('.')) return 'the configuration';
  }
}

function knownKeys(path: string[]): string[] {
  if (path[0] === 'prices') return ['prompt', 'cached', 'completion'];
  let schema: z.ZodType = configSchema;
  for (const name of path) {
    const shape = inside(schema);
    if (!shape?.[name]) return [];
    schema = shape[name];
  }
  return Object.keys(inside(schema) ?? {});
}

function inside(schema: z.ZodType): Record<string, z.ZodType> | null {
  if (schema instanceof z.ZodOptional) return inside(schema.unwrap() as z.ZodType);
  return schema instanceof z.ZodObject ? (schema.shape as Record<string, z.ZodType>) : null;
}

/** A value and its type as a person reads them; never more than 80 characters. */
function show(value: unknown): string {
  const type = value === null ? 'nothing' : Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'a section' : typeof value === 'string' ? 'text' : `a ${typeof value}`;
  const text = typeof value === 'string' ? JSON.stringify(value.replace(/\/\/[^@/]*@/, '//…@')) : typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? 'missing');
  return `${text.length > 80 ? `${text.slice(0, 79)}…` : text} (${type})`;
}

function wrong(sentence: string): Nl2codeError {
  return new Nl2codeError('bad-request', sentence, { remedy: '' });
}
