import { join } from 'node:path';
import type { Pack } from '../context/pack.js';
import type { Request } from '../session/request.js';
import type { SandboxSpec } from '../sandbox/backend.js';
import { sha256 } from '../store/blobs.js';
import type { SessionFolder } from '../store/session-store.js';
import type { StepWorld } from './world.js';

/** Where a pack's libraries stand inside a sandbox. The rest of the pack (checks, playbooks) is never shown to generated code. */
const LIBRARIES = '/pack/lib';
const PROCESSES = 256;
const CPUS = 2;

/** The sandbox of a session: one per session, found again by its folder. */
export function sandboxSpec(world: StepWorld, folder: SessionFolder, session: string, request: Request, pack: Pack | null): SandboxSpec {
  // A fork that has lost its disk runs its past again under the seed of who ran it first.
  const first = sha256(folder.forked?.first ?? session);
  return {
    id: `s-${sha256(session).slice(0, 24)}`,
    folder: folder.sandbox,
    inputs: request.inputs.map(({ name }) => ({ name, path: join(folder.inputs, name) })),
    mounts: pack && pack.libraryFolder ? [{ from: pack.libraryFolder, at: LIBRARIES }] : [],
    pythonPath: pack && pack.libraryFolder ? [LIBRARIES] : [],
    isolation: request.isolation,
    limits: { memoryBytes: request.limits.memoryBytes, diskBytes: request.limits.diskBytes, processes: PROCESSES, cpus: CPUS },
    hashSeed: Number.parseInt(first.slice(0, 8), 16),
    leaseMs: world.leaseMs,
    durability: folder.durability,
    warm: 'all',
  };
}

/** Host folder of one verification; two attempts that race never share it. */
export function verificationFolder(folder: SessionFolder, key: string, attempt: number): string {
  return join(folder.verify, `${key.slice(0, 16)}-${attempt}`);
}
