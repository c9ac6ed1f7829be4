import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ResolvedConfig } from '../config.js';
import { tooOld } from '../config/oldest.js';
import { prepareDataDir } from '../embedded/data-dir.js';
import { findTemporalExecutable } from '../embedded/temporal-executable.js';
import type { Probed } from '../model/ability-probe.js';
import type { SandboxBackend } from '../sandbox/backend.js';
import { objectOf } from '../store/checkpoint-store.js';
import { openCheckpointStore } from '../store/open-checkpoint-store.js';
import { standing } from '../session/error-table.js';
import { size } from './result-text.js';

/** One line of `doctor`. */
export interface Check {
  name: string;
  ok: boolean;
  /** What is there, or what is wrong and how to mend it. */
  detail: string;
}

const MIN_FREE_BYTES = 1e9;

export function checkNode(version: string = process.versions.node): Check {
  const old = tooOld('Node', version);
  return { name: 'node', ok: old === null, detail: old ?? version };
}

/** The Python environment of sandboxes. */
export function checkPython({ runtimeDir }: Pick<ResolvedConfig, 'runtimeDir'>): Check {
  const python = join(runtimeDir, 'python', 'bin', 'python3');
  if (!existsSync(python)) return { name: 'python', ok: false, detail: `there is no environment at ${dirname(dirname(python))}: run nl2code setup` };
  const { status, stdout } = spawnSync(python, ['-I', '-c', 'import sys, pandas; print("%d.%d.%d" % sys.version_info[:3], "with pandas", pandas.__version__)'], { encoding: 'utf8', timeout: 30_000 });
  if (status !== 0) return { name: 'python', ok: false, detail: `${python} does not start or lacks packages: run nl2code setup` };
  const old = tooOld('Python', stdout.split(' ')[0]!);
  return { name: 'python', ok: old === null, detail: old === null ? stdout.trim() : `${old} and run nl2code setup` };
}

/** The dev server that `up` embeds, or the address of the server that is configured. */
export function checkTemporal(config: Pick<ResolvedConfig, 'runtimeDir' | 'temporal'>, env: Record<string, string | undefined>): Check {
  if (config.temporal.mode === 'external') return { name: 'temporal', ok: true, detail: `external server${config.temporal.profile ? `, profile ${config.temporal.profile}` : ''}` };
  try {
    const found = findTemporalExecutable(config.runtimeDir, env);
    const { status, stdout } = spawnSync(found, ['--version'], { encoding: 'utf8', timeout: 20_000 });
    if (status !== 0) return { name: 'temporal', ok: false, detail: `${found} does not start: install the Temporal CLI again` };
    return { name: 'temporal', ok: true, detail: `${stdout.trim().split('\n')[0]} at ${found}` };
  } catch (error) {
    return { name: 'temporal', ok: false, detail: sentence(error) };
  }
}

export async function checkSandbox(backend: SandboxBackend): Promise<Check> {
  const probe = await backend.probe();
  return { name: 'sandbox', ok: probe.available, detail: `${backend.name}: ${probe.detail.replace(/\.$/, '')}` };
}

/** Asks the endpoint for its models; the scripted model needs nothing. */
export async function checkModel({ model }: Pick<ResolvedConfig, 'model'>): Promise<Check> {
  const { baseUrl, name } = model;
  if (baseUrl === null) {
    const ok = name === 'scripted';
    return { name: 'model', ok, detail: ok ? 'scripted (written playbooks, no AI): set OPENAI_BASE_URL or OPENAI_API_KEY for a real one' : `${JSON.stringify(name)} needs an endpoint: set OPENAI_BASE_URL or OPENAI_API_KEY` };
  }
  try {
    const { createOpenAiEndpoint } = await import('../model/openai-endpoint.js');
    await createOpenAiEndpoint({ ...model, baseUrl }).probe(name, { timeoutMs: 10_000 });
    return { name: 'model', ok: true, detail: `${name} at ${new URL(baseUrl).host} (doctor --model says what it can do)` };
  } catch (error) {
    return { name: 'model', ok: false, detail: sentence(error) };
  }
}

/** What the configured endpoint can do, asked of it; null for the scripted model, of which that is known. */
export async function probeModel({ model }: Pick<ResolvedConfig, 'model'>): Promise<Probed | null> {
  if (model.baseUrl === null) return null;
  const [{ createOpenAiEndpoint }, { probeAbilities }, { priceOf }] = await Promise.all([import('../model/openai-endpoint.js'), import('../model/ability-probe.js'), import('../model/prices.js')]);
  // A temperature is sent, so that it shows whether one is taken.
  const endpoint = createOpenAiEndpoint({ ...model, baseUrl: model.baseUrl, temperature: model.temperature ?? 0 });
  return probeAbilities(endpoint, { model: model.name, keyed: model.apiKey !== null, price: priceOf(model.name, model.prices) });
}

/** Makes the data directory where it is missing, as the first `run` would, and looks at the free space. */
export function checkDataDir({ dataDir }: Pick<ResolvedConfig, 'dataDir'>): Check {
  try {
    prepareDataDir(dataDir);
    const { bavail, bsize } = statfsSync(dataDir);
    const free = bavail * bsize;
    const ok = free >= MIN_FREE_BYTES;
    return { name: 'data', ok, detail: `${dataDir}, ${size(free)} free${ok ? '' : ': free space, or choose another folder with --data-dir'}` };
  } catch (error) {
    return { name: 'data', ok: false, detail: sentence(error) };
  }
}

/** Whether saved states can be put where other hosts have them too; tried for real. `init` marks the folder as one for states first. */
export async function checkCheckpoints(config: Pick<ResolvedConfig, 'checkpoints' | 'durability'>, init = false): Promise<Check> {
  const name = 'states';
  const store = openCheckpointStore(config);
  if (!store && init) return { name, ok: false, detail: 'there is no folder to mark: set checkpoints.path to one that other hosts have too' };
  if (!store) return { name, ok: true, detail: 'on this machine only (checkpoints.path names a folder that other hosts have too)' };
  const key = `doctor-${randomBytes(6).toString('hex')}`;
  try {
    if (init) await store.init();
    await store.put(key, objectOf(Buffer.from(key)));
    await store.remove(key);
    return { name, ok: true, detail: `shipped to ${store.place} after each cell` };
  } catch (error) {
    return { name, ok: false, detail: `states can't be shipped to ${store.place} (checkpoints.path) and stay on this machine: ${sentence(error).replace(/\.$/, '')}` };
  }
}

/** What of the data the model may read here. */
export function checkExposure({ defaults, exposure: { max } }: Pick<ResolvedConfig, 'defaults' | 'exposure'>): Check {
  return { name: 'exposure', ok: true, detail: `${defaults.exposure} unless a request asks for another, ${max} at most (exposure.max)` };
}

/** What becomes of a kernel that nobody uses. */
export function checkIdle({ sandbox: { leaseMs } }: Pick<ResolvedConfig, 'sandbox'>): Check {
  const minutes = leaseMs / 60_000;
  const after = minutes >= 1 ? `${Math.round(minutes * 10) / 10} min` : `${Math.round(leaseMs / 1000)} s`;
  return { name: 'idle', ok: true, detail: `a session that waits gives its kernel up after ${after} (sandbox.leaseMs) and has variables and files back when it goes on` };
}

function sentence(error: unknown): string {
  return error instanceof Error ? standing(error.message) : String(error);
}
