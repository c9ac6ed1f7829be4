import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identityOf, isAlive, isIdentity, type ProcessIdentity } from './process-identity.js';

/*
 * One host per data directory. The lock is a row of generation files `host.lock.<n>`, each made whole by link(2); the highest
 * one says who holds. Its owner may be any process of this machine that can see the others' pids.
 *
 * 1. A generation is made once: n+1 only by a process that saw n free, and link(2) gives the name to one of them.
 * 2. The highest generation is never removed and never lowered: a release marks it as free.
 * 3. Lower generations are removed by the holder alone, in ascending order. So whoever links n+1 and still finds n was the
 *    first to do so; a late-comer, whose n+1 was made, used and removed while it slept, finds n gone and holds nothing.
 */

/** The right to serve a data directory. */
export interface HostLock {
  readonly owner: ProcessIdentity;
  /** Frees the directory; harmless to repeat. */
  release(): void;
}

const GENERATION = /^host\.lock\.(\d{1,15})$/;

/** Takes the lock for this process, or says who holds it. Host side; never waits. */
export function acquireHostLock(dataDir: string): { lock: HostLock } | { heldBy: ProcessIdentity } {
  const owner = identityOf(process.pid);
  if (owner === null) throw new Error(`process ${process.pid} does not find itself`);
  for (;;) {
    const top = highest(dataDir);
    if (top > 0) {
      const holder = readOwner(dataDir, top);
      if (holder === 'gone') continue;
      if (holder !== null && isAlive(holder)) return { heldBy: holder };
    }
    if (takeAfter(dataDir, top, owner)) return { lock: held(dataDir, top + 1, owner) };
  }
}

/** Who holds the data directory now, or null. Any process; changes nothing. */
export function lockHolder(dataDir: string): ProcessIdentity | null {
  for (;;) {
    const top = highest(dataDir);
    if (top === 0) return null;
    const holder = readOwner(dataDir, top);
    if (holder === 'gone') continue;
    return holder !== null && isAlive(holder) ? holder : null;
  }
}

/** Takes the generation after `free`, which the caller saw free; false when others were quicker, however long ago. Invariant 3; apart for its test. */
export function takeAfter(dataDir: string, free: number, owner: ProcessIdentity): boolean {
  const mine = file(dataDir, free + 1);
  const whole = writeTemporary(dataDir, owner);
  try {
    linkSync(whole, mine);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(whole, { force: true });
  }
  const generations = list(dataDir);
  const wasFirst = generations.at(-1) === free + 1 && (free === 0 || generations.includes(free));
  if (!wasFirst) {
    rmSync(mine, { force: true });
    return false;
  }
  for (const generation of generations) if (generation <= free) rmSync(file(dataDir, generation), { force: true });
  return true;
}

function held(dataDir: string, generation: number, owner: ProcessIdentity): HostLock {
  let isHeld = true;
  return {
    owner,
    release() {
      if (isHeld) renameSync(writeTemporary(dataDir, null), file(dataDir, generation));
      isHeld = false;
    },
  };
}

/** The owner of a generation; null when it is free or unreadable (a power cut), `gone` when it was removed meanwhile. */
function readOwner(dataDir: string, generation: number): ProcessIdentity | null | 'gone' {
  try {
    const { owner } = JSON.parse(readFileSync(file(dataDir, generation), 'utf8')) as { owner?: unknown };
    return isIdentity(owner) ? owner : null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'gone';
    if (error instanceof SyntaxError || error instanceof TypeError) return null;
    throw error;
  }
}

function writeTemporary(dataDir: string, owner: ProcessIdentity | null): string {
  const path = join(dataDir, `.host.lock-${randomBytes(9).toString('hex')}`);
  writeFileSync(path, `${JSON.stringify({ owner })}\n`, { mode: 0o600, flag: 'wx' });
  return path;
}

const file = (dataDir: string, generation: number): string => join(dataDir, `host.lock.${generation}`);
const highest = (dataDir: string): number => list(dataDir).at(-1) ?? 0;

function list(dataDir: string): number[] {
  const generations: number[] = [];
  for (const name of readdirSync(dataDir)) {
    const match = GENERATION.exec(name);
    if (match !== null) generations.push(Number(match[1]));
  }
  return generations.sort((a, b) => a - b);
}
