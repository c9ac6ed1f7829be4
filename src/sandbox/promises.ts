import type { Isolation } from '../session/request.js';
import type { SandboxPromises, SandboxSpec } from './backend.js';

/** What each way of isolating promises: `doctor` prints this table, the documentation quotes it and the hostile-code suite holds it. */
export const PROMISES: Record<Isolation, SandboxPromises> = {
  bubblewrap: {
    isolation:
      'own namespaces, no capabilities, system-call filter; sees /usr, the Python runtime and its own folders; as root, a uid of its own',
    network: 'none',
    memory:
      'limited for the whole sandbox by a control group, else by a watcher every 100 ms; the biggest process is ended',
    processes: 'limited per sandbox, threads included',
    disk: 'size of one file limited by the kernel, of the workspace by a watcher every 500 ms; 64 MiB of memory at /tmp',
    survivesWorker: 'yes, until its lease is over; it ends with its supervisor',
  },
  none: {
    isolation: 'none: code runs as the user who started nl2code and can do what that user can',
    network: 'that of the host',
    memory: 'limited per process, and for all by a watcher every 100 ms (Linux)',
    processes: 'not limited',
    disk: 'size of one file limited, of the workspace by a watcher every 500 ms',
    survivesWorker: 'yes, until its lease is over; daemons of a cell can outlive a supervisor that is killed',
  },
};

/** Mount points a spec may not use or go below. */
const TAKEN = [
  '/',
  '/bin',
  '/checkpoint',
  '/dev',
  '/etc',
  '/guest',
  '/inputs',
  '/lib',
  '/lib64',
  '/proc',
  '/py',
  '/scratch',
  '/tmp',
  '/usr',
  '/workspace',
];

/** The first thing that is wrong with a spec, as a sentence; null when it is sound. */
export function specProblem(spec: SandboxSpec): string | null {
  const { limits } = spec;
  if (!/^[a-z0-9-]{1,64}$/.test(spec.id))
    return `The sandbox id ${JSON.stringify(spec.id)} must be 1 to 64 of a-z, 0-9 and "-".`;
  if (!spec.folder.startsWith('/') || spec.folder.includes('\0'))
    return `The sandbox folder ${JSON.stringify(spec.folder)} must be an absolute path.`;
  for (const [name, value] of Object.entries({
    memoryBytes: limits.memoryBytes,
    diskBytes: limits.diskBytes,
    processes: limits.processes,
    leaseMs: spec.leaseMs,
  })) {
    if (!Number.isSafeInteger(value) || value < 1) return `${name} is ${value}: it must be a whole number above 0.`;
  }
  if (!(limits.cpus > 0)) return `cpus is ${limits.cpus}: it must be above 0.`;
  if (!Number.isInteger(spec.hashSeed) || spec.hashSeed < 0 || spec.hashSeed > 0xffffffff)
    return `hashSeed is ${spec.hashSeed}: it must be 0 to 4294967295.`;
  for (const { from, at } of spec.mounts) {
    if (!from.startsWith('/') || !at.startsWith('/')) return `The mount ${from} at ${at} must name absolute paths.`;
    if (TAKEN.some((place) => at === place || (place !== '/' && at.startsWith(`${place}/`))))
      return `Nothing can be mounted at ${at}: the place is taken.`;
  }
  return null;
}
