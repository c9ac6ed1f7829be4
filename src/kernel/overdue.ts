import type { KernelConnection } from './connection.js';

/** Beyond its own limit a cell gets this long for its end to reach us, and its guest then as long to say that it is alive. */
export const OVERDUE_MS = 15_000;
const MAX_TIMER_MS = 0x7fff_ffff;

/**
 * Calls `onDead` once when a cell is overdue and its guest does not answer a ping. The guest itself holds the cell's limit, and only it
 * knows of runs before this one, of restores, and of tools that are waited for. Returns what ends the watch.
 */
export function watchOverdue(connection: KernelConnection, limitMs: number, onDead: () => void, patienceMs = OVERDUE_MS): () => void {
  let timer: NodeJS.Timeout;
  let over = false;
  const wait = (ms: number) => {
    timer = setTimeout(() => void look(), Math.min(ms, MAX_TIMER_MS));
  };
  const look = async () => {
    const alive = await answers(connection, patienceMs);
    if (over) return;
    if (alive) wait(patienceMs);
    else onDead();
  };
  wait(limitMs + patienceMs);
  return () => {
    over = true;
    clearTimeout(timer);
  };
}

function answers(connection: KernelConnection, withinMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, withinMs, false);
    connection.ping().then(
      () => resolve(true),
      () => resolve(false),
    ).finally(() => clearTimeout(timer));
  });
}
