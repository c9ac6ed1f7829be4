import type { Kernels } from '../kernel/kernels.js';
import { CheckSheet } from './check-sheet.js';
import { finding } from './finding.js';
import { Scratch } from './scratch.js';
import { SEEN_NOTHING, Verification, type ScriptJob, type Seen } from './verification.js';
import type { Verifier, VerifyHooks } from './verify-job.js';

export type { Verifier, VerifyHooks, VerifyJob } from './verify-job.js';

/** Makes the verifier of a worker. Runs scripts in sandboxes only; the host moves files and decides. */
export function createVerifier({ kernels }: { kernels: Kernels }): Verifier {
  return {
    async verify(job, hooks) {
      const started = performance.now();
      const sheet = new CheckSheet(['parses', 'main', 'credentials', 'plain', 'calls', 'runs', 'outputs', 'repeats', 'bad input', ...job.checks.map((_, i) => `request:${i + 1}`), ...(job.pack?.checks ?? []).map(({ id }) => `pack:${id}`)], hooks.onProgress);
      let seen = SEEN_NOTHING;
      hooks.signal.throwIfAborted();
      if (job.script === null) {
        sheet.decide('parses', [finding('script-missing', 'What was submitted is no file with text.')], '');
        sheet.close('there is no script');
      } else {
        seen = await inScratch(kernels, { ...job, script: job.script }, hooks, sheet);
      }
      return { kind: 'verification', ok: sheet.ok, checks: sheet.checks, findings: sheet.findings, ...seen, isolation: job.isolation, ms: Math.round(performance.now() - started) };
    },
  };
}

async function inScratch(kernels: Kernels, job: ScriptJob, hooks: VerifyHooks, sheet: CheckSheet): Promise<Seen> {
  const scratch = await Scratch.open(job);
  const stop = new AbortController();
  const verification = new Verification(kernels, job, AbortSignal.any([hooks.signal, stop.signal]), sheet, scratch);
  try {
    return await verification.run();
  } catch (error) {
    hooks.signal.throwIfAborted();
    throw error;
  } finally {
    stop.abort();
    await verification.end();
    await scratch.remove();
  }
}
