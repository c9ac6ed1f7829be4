import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  createKernels,
  type KernelCell,
  type KernelHooks,
  type KernelResult,
  type Kernels,
} from '../../src/kernel/kernels.js';
import type { SandboxSpec } from '../../src/sandbox/backend.js';
import { createProcessBackend, type ProcessBackend, type ProcessBackendOptions } from '../../src/sandbox/process.js';
import { readRunState, type RunState } from '../../src/sandbox/process/run-state.js';
import type { Isolation } from '../../src/session/request.js';

export const REPOSITORY = realpathSync(fileURLToPath(new URL('../..', import.meta.url)));
export const PLACES = {
  runtimeDir: process.env.NL2CODE_RUNTIME_DIR ?? join(REPOSITORY, '.runtime'),
  guestDir: join(REPOSITORY, 'guest'),
};

export interface Sandboxed {
  spec: SandboxSpec;
  /** Runs the next cell. */
  run(code: string, options?: Partial<KernelCell> & Partial<KernelHooks>): Promise<KernelResult>;
  /** Runs the next cell, which must end well, and returns the text of its last expression. */
  value(code: string): Promise<string>;
  state(): RunState;
}

/** Real sandboxes in a temporary folder. `close` ends every one of them. */
export class Rig {
  readonly root = realpathSync(mkdtempSync(join(tmpdir(), 'nl2code-sandbox-')));
  readonly backend: ProcessBackend;
  readonly kernels: Kernels;
  readonly #specs: SandboxSpec[] = [];
  #count = 0;

  constructor(options: Partial<ProcessBackendOptions> = {}) {
    this.backend = createProcessBackend({ ...PLACES, ...options });
    this.kernels = createKernels({ backend: this.backend });
  }

  spec(overrides: Partial<SandboxSpec> & { isolation: Isolation }): SandboxSpec {
    const id = `test-${process.pid}-${++this.#count}`;
    const spec: SandboxSpec = {
      id,
      folder: join(this.root, id),
      inputs: [],
      mounts: [],
      pythonPath: [],
      limits: { memoryBytes: 1 << 30, diskBytes: 256 << 20, processes: 256, cpus: 2 },
      hashSeed: 7,
      leaseMs: 60_000,
      durability: 'process',
      warm: 'bare',
      ...overrides,
    };
    this.#specs.push(spec);
    return spec;
  }

  sandbox(overrides: Partial<SandboxSpec> & { isolation: Isolation }, kernels = this.kernels): Sandboxed {
    const spec = this.spec(overrides);
    let k = 0;
    const run: Sandboxed['run'] = (code, options = {}) => {
      const { signal = new AbortController().signal, onOutput, onSandbox, onAgain, onBehind, onCatchUp, onCaughtUp, onTool, ...cell } = options;
      const asked = {
        session: spec.id,
        k,
        code,
        epoch: [1, 1] as [number, number],
        timeoutMs: 30_000,
        maxOutputChars: 10_000,
        ...cell,
      };
      k = asked.k + 1;
      return kernels.runCell(spec, asked, { signal, onOutput, onSandbox, onAgain, onBehind, onCatchUp, onCaughtUp, onTool });
    };
    return {
      spec,
      run,
      value: async (code) => {
        const { reply } = await run(code);
        if (reply.ended !== 'ok')
          throw new Error(`${code} ended ${reply.ended}: ${reply.error?.message}\n${reply.error?.traceback}`);
        return reply.result?.text['text/plain']?.text ?? '';
      },
      state: () => readRunState(spec.folder)!,
    };
  }

  folder(name: string): string {
    const folder = join(this.root, name);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  async close(): Promise<void> {
    await this.kernels.close();
    for (const spec of this.#specs)
      await this.backend.destroy({ backend: 'process', id: spec.id, folder: spec.folder });
    await this.backend.close();
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Name of the pid namespace that a process's children live in. */
export function pidNamespace(pid: number): string {
  return readlinkSync(`/proc/${pid}/ns/pid_for_children`);
}

/** Every process of this machine for which `match` holds. */
export function processes(match: (pid: number) => boolean): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return match(pid) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
      } catch {
        return false;
      }
    });
}

/** Processes that live in the given pid namespace. */
export const inNamespace = (namespace: string): number[] =>
  processes((pid) => readlinkSync(`/proc/${pid}/ns/pid`) === namespace);

/** Processes that name this folder on their command line or have their working directory in it. */
export const touching = (folder: string): number[] =>
  processes(
    (pid) =>
      readlinkSync(`/proc/${pid}/cwd`).startsWith(folder) ||
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder),
  );

/** Waits until `done` holds, looking every 10 ms; fails after `withinMs`. */
export async function eventually(
  done: () => boolean | Promise<boolean>,
  what: string,
  withinMs = 15_000,
): Promise<void> {
  for (const end = performance.now() + withinMs; performance.now() < end;) {
    if (await done()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`it did not happen within ${withinMs} ms: ${what}`);
}
