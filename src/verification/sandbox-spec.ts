import { join } from 'node:path';
import { packageRoot } from '../config/package-root.js';
import type { SandboxSpec } from '../sandbox/backend.js';
import type { ExaminerPlaces } from './examiner.js';
import type { Scratch } from './scratch.js';
import type { VerifyJob } from './verify-job.js';

/** A sandbox whose worker died is over soon; nobody comes back for it. */
const LEASE_MS = 20_000;
const CHECKS_AT = '/checks';

/** The sandbox of a run of the script, or with `mounts` that of the examiner. Only here is our checking code shown. */
export function sandboxSpec({ inputs, isolation, limits, pythonPath, hashSeed, mounts }: VerifyJob, scratch: Scratch, name: 'a' | 'b' | 'c' | 'd', more: SandboxSpec['mounts'] = []): SandboxSpec {
  return {
    id: `v-${scratch.tag}-${name}`,
    folder: scratch.at(name),
    inputs,
    mounts: [...mounts, ...more, { from: join(packageRoot(), 'guest', 'nl2code_checks'), at: `${CHECKS_AT}/nl2code_checks` }],
    pythonPath: [...pythonPath, CHECKS_AT],
    isolation,
    limits,
    hashSeed,
    exactSeed: true,
    leaseMs: LEASE_MS,
    durability: 'process',
    warm: 'bare',
  };
}

/** The sandbox that reads and compares, and where it sees what. Truth and checks are shown here only. */
export function examinerSpec(job: VerifyJob, scratch: Scratch): { spec: SandboxSpec; places: ExaminerPlaces } {
  const first = { from: scratch.at('first'), at: '/outputs' };
  const second = { from: scratch.at('second'), at: '/again' };
  const before = job.before ? { from: scratch.at('before'), at: '/before' } : null;
  const truth = job.truth.length > 0 ? { from: scratch.at('truth'), at: '/truth' } : null;
  const pack = job.pack ? { from: job.pack.folder, at: '/pack-checks' } : null;
  const spec = sandboxSpec(job, scratch, 'c', [first, second, before, truth, pack].filter((mount) => mount !== null));
  // Without isolation nothing is mounted: paths are the host's.
  const side = job.isolation === 'none' ? 'from' : 'at';
  const inputs = { from: join(spec.folder, 'inputs'), at: '/inputs' };
  return { spec, places: { inputs: inputs[side], first: first[side], second: second[side], before: before && before[side], truth: truth && truth[side], pack: pack && pack[side] } };
}
