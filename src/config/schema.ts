import { z } from 'zod';
import { EXPOSURES } from '../session/exposure.js';
import { APPROVAL_POLICIES, STRATEGIES } from '../session/request.js';
import { BOUNDS, says, within, type Bound } from './bounds.js';

/** The sandbox backends that exist. */
export const SANDBOX_BACKENDS = ['process'] as const;

// Each message reads after "… is <value>, which is not".
const number = (bound: Bound) => z.custom<number>((value) => within(bound, value), { error: says(bound) });
const text = z.string({ error: 'text' }).refine((value) => value.trim() !== '', { error: 'text of at least one character' });
const path = text.refine((value) => !value.includes('\0'), { error: 'a path' });
const paths = z.array(path, { error: 'a list of folders' });
const oneOf = <const T extends readonly string[]>(names: T) => z.enum(names, { error: `one of ${names.join(', ')}` });
const url = text.refine((value) => /^https?:$/.test(parsed(value)?.protocol ?? ''), { error: 'a URL that starts with http:// or https://' });
const dollars = number({ min: 0, max: 1_000_000, whole: false });
const section = <T extends z.ZodRawShape>(shape: T) => z.strictObject(shape, { error: (issue) => (issue.code === 'unrecognized_keys' ? undefined : 'a section of keys and values') }).partial();

function parsed(value: string): URL | null {
  try {
    return new URL(value);
  } catch {
    return null;
  }
}

/** The shape of `nl2code.config.yaml`, and of flags and environment once they are laid over it. Every key may be missing. */
export const configSchema = section({
  dataDir: path,
  runtimeDir: path,
  namespace: text,
  taskQueue: text,
  temporal: section({ mode: oneOf(['embedded', 'external']), profile: text, port: number(BOUNDS.port), uiPort: number(BOUNDS.port).nullable() }),
  model: section({ baseUrl: url, apiKeyFile: path, name: text, maxOutputTokens: number(BOUNDS.maxOutputTokens), contextTokens: number(BOUNDS.contextTokens), stallMs: number(BOUNDS.stallMs), temperature: number(BOUNDS.temperature).nullable(), caFile: path }),
  prices: z.record(z.string(), z.strictObject({ prompt: dollars, cached: dollars.optional(), completion: dollars }, { error: 'a price with prompt and completion in US dollars per million tokens' }), {
    error: 'a section of model names',
  }),
  sandbox: section({ backend: oneOf(SANDBOX_BACKENDS), isolation: oneOf(['bubblewrap', 'none']), pool: number(BOUNDS.pool), leaseMs: number(BOUNDS.leaseMs) }),
  packs: paths,
  checkpoints: section({ kind: oneOf(['folder']), path }),
  durability: oneOf(['process', 'host']),
  exposure: section({ max: oneOf(EXPOSURES) }),
  tools: section({ allow: z.array(text, { error: 'a list of names of tools' }) }),
  defaults: section({
    strategy: oneOf(STRATEGIES),
    pack: text.nullable(),
    approval: oneOf(APPROVAL_POLICIES),
    exposure: oneOf(EXPOSURES),
    approvalExpiryMs: number(BOUNDS.approvalExpiryMs),
    limits: section({
      cellTimeoutMs: number(BOUNDS.cellTimeoutMs),
      scriptTimeoutMs: number(BOUNDS.scriptTimeoutMs),
      memoryBytes: number(BOUNDS.memoryBytes),
      diskBytes: number(BOUNDS.diskBytes),
      maxRepairs: number(BOUNDS.maxRepairs),
      stepsPerRun: number(BOUNDS.stepsPerRun),
    }),
    budget: section({ maxSteps: number(BOUNDS.maxSteps), maxCostUsd: number(BOUNDS.maxCostUsd).nullable(), maxTokens: number(BOUNDS.maxTokens).nullable() }),
  }),
  admission: section({ allow: paths, maxInputBytes: number(BOUNDS.maxInputBytes), maxPromptChars: number(BOUNDS.maxPromptChars) }),
});

/** Options as given, before defaults. */
export type GivenConfig = z.infer<typeof configSchema>;
