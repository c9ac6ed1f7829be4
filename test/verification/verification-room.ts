import { createHash } from 'node:crypto';
import { existsSync, fstatSync, mkdirSync, mkdtempSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../src/config/package-root.js';
import { createKernels, type Kernels } from '../../src/kernel/kernels.js';
import { createProcessBackend, type ProcessBackend } from '../../src/sandbox/process.js';
import type { SandboxSpec } from '../../src/sandbox/backend.js';
import { readRunState, supervisorAlive, type RunState } from '../../src/sandbox/process/run-state.js';
import type { AcceptanceCheck } from '../../src/session/acceptance-check.js';
import type { CheckResult, VerificationObservation } from '../../src/session/observation.js';
import { createVerifier, type VerifyJob } from '../../src/verification/verify.js';

export interface Asked extends Partial<Omit<VerifyJob, 'inputs' | 'truth' | 'outputs' | 'pack' | 'checks'>> {
  outputs?: string[];
  /** Text by name. */
  inputs?: Record<string, string>;
  truth?: Record<string, string>;
  /** Source of the pack's check by its id. */
  checks?: Record<string, string>;
  /** What the request agreed on. */
  agreed?: AcceptanceCheck[];
  truthNeeded?: 'optional' | 'required' | 'none';
  signal?: AbortSignal;
  onProgress?(check: CheckResult): void;
}

/** A verifier over real sandboxes in a folder of its own. */
export class VerificationRoom {
  readonly folder = mkdtempSync(join(tmpdir(), 'nl2code-verify-'));
  /** What was kept, by path order: text of the blobs. */
  readonly kept = new Map<string, Buffer>();
  /** How often a sandbox was started. */
  started = 0;
  readonly specs: SandboxSpec[] = [];
  readonly backend: ProcessBackend;
  readonly kernels: Kernels;
  private readonly states = new Set<RunState>();
  private n = 0;

  constructor() {
    const backend = createProcessBackend({ runtimeDir: join(packageRoot(), '.runtime'), guestDir: join(packageRoot(), 'guest') });
    const create = backend.create.bind(backend);
    backend.create = async (spec) => {
      this.specs.push(spec);
      const ref = await create(spec);
      if (!ref.adopted) this.started += 1;
      this.states.add(readRunState(spec.folder)!);
      return ref;
    };
    this.backend = backend;
    this.kernels = createKernels({ backend });
  }

  async verify(script: string | null, asked: Asked = {}): Promise<VerificationObservation> {
    const room = join(this.folder, String(this.n++));
    const { outputs = [], inputs = { 'in.csv': 'id,x\n1,0.5\n2,0.25\n' }, truth = {}, checks, agreed = [], truthNeeded = 'optional', signal = new AbortController().signal, onProgress, ...more } = asked;
    const pack = join(room, 'pack');
    for (const [id, source] of Object.entries(checks ?? {})) place(join(pack, 'checks'), `${id}.py`, source);
    const folder = join(room, 'verify');
    const job: VerifyJob = {
      session: 'a-session',
      folder,
      script,
      outputs: outputs.map((path) => ({ path })),
      inputs: Object.entries(inputs).map(([name, text]) => ({ name, path: place(join(room, 'inputs'), name, text) })),
      truth: Object.entries(truth).map(([name, text]) => ({ name, path: place(join(room, 'truth'), name, text) })),
      mounts: [],
      pythonPath: [],
      checks: agreed,
      pack: checks ? { folder: pack, checks: Object.keys(checks).map((id) => ({ id, module: `checks/${id}.py`, truth: truthNeeded })) } : null,
      limits: { memoryBytes: 2 ** 30, diskBytes: 2 ** 25, processes: 128, cpus: 2 },
      scriptTimeoutMs: 30_000,
      isolation: 'bubblewrap',
      hashSeed: 7,
      keep: (fd, maxBytes) => this.keep(fd, maxBytes),
      ...more,
    };
    return createVerifier({ kernels: this.kernels })
      .verify(job, { signal, onProgress })
      .finally(() => {
        if (existsSync(folder)) throw new Error(`${folder} was not removed`);
      });
  }

  /** How many of the sandboxes that were started are alive. */
  get alive(): number {
    return [...this.states].filter(supervisorAlive).length;
  }

  private keep(fd: number, maxBytes: number): { hash: string; bytes: number } {
    const { size } = fstatSync(fd);
    if (size > maxBytes) throw new Error('too large');
    const bytes = Buffer.alloc(size);
    readSync(fd, bytes, 0, size, 0);
    const hash = createHash('sha256').update(bytes).digest('hex');
    this.kept.set(hash, bytes);
    return { hash, bytes: size };
  }

  async close(): Promise<void> {
    await this.kernels.close();
    await this.backend.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const HEADER = '# /// script\n# requires-python = ">=3.11"\n# dependencies = []\n# ///\n';

/** `body` as the body of a whole script's `main`, which refuses to run without `in.csv`. The header may stand anywhere. */
export function scriptOf(body: string, head = ''): string {
  return `import sys, os\n${head}\n\ndef main():\n${body.replace(/^(?=.)/gm, '    ')}\n    return 0\n\n\nif __name__ == '__main__':\n    sys.exit(main() if os.path.exists('in.csv') else 'in.csv: no such file')\n\n${HEADER}`;
}

/** The first line of `body` in `scriptOf(body)`, without a head. */
export const BODY_LINE = 5;

export const states = (seen: VerificationObservation) => Object.fromEntries(seen.checks.map(({ check, state }) => [check, state]));
export const errors = (seen: VerificationObservation) => seen.findings.filter(({ severity }) => severity !== 'warning');
export const codes = (seen: VerificationObservation) => seen.findings.map(({ code }) => code);

function place(folder: string, name: string, text: string): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}
