import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ResolvedConfig } from '../../../src/config.js';
import { createKernels } from '../../../src/kernel/kernels.js';
import type { SandboxSpec } from '../../../src/sandbox/backend.js';
import { createBackend } from '../../../src/world.js';
import type { Seen } from './seen.js';
import type { SessionCells } from './session-cells.js';

/** Runs the cells of each session in a kernel that nobody disturbs, one session after the other. */
export async function undisturbed(config: ResolvedConfig, plans: readonly SessionCells[]): Promise<Map<number, Seen>> {
  const seen = new Map<number, Seen>();
  const backend = createBackend(config);
  const kernels = createKernels({ backend });
  try {
    for (const plan of plans) {
      const folder = mkdtempSync(join(tmpdir(), 'nl2code-calm-'));
      const effects: string[] = [];
      const spec: SandboxSpec = { id: `calm-${plan.seed}-${process.pid}`, folder, inputs: [], mounts: [], pythonPath: [], isolation: config.sandbox.isolation, limits: { memoryBytes: 4 * 2 ** 30, diskBytes: 2 ** 31, processes: 256, cpus: 2 }, hashSeed: 1, leaseMs: 60_000, warm: 'all', durability: config.durability };
      try {
        const cells: Seen['cells'] = [];
        for (const [k, code] of ['print("the look at the inputs")', ...plan.cells].entries()) {
          const { reply } = await kernels.runCell(
            spec,
            { session: spec.id, k, code, epoch: [1, 1], timeoutMs: 60_000, maxOutputChars: 20_000 },
            { signal: new AbortController().signal, onTool: ({ args }) => Promise.resolve({ ok: true, value: { seq: effects.push((args as { text: string }).text) } }) },
          );
          cells.push(reply);
        }
        seen.set(plan.seed, { cells, effects });
      } finally {
        await kernels.end(spec);
        rmSync(folder, { recursive: true, force: true });
      }
    }
    return seen;
  } finally {
    await kernels.close();
    await backend.close();
  }
}
