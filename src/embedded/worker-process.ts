import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import type { WorkerProcessConfig } from '../worker.js';
import { lastLine, openLog } from './child-log.js';
import { KeptProcess, type KeptProcessEvent } from './kept-process.js';
import { onLine } from './lines.js';

/** Workers give running activities back at once; this is for one that is stuck. */
const GRACE_MS = 8000;

/** Compiled also when this file runs from `src`: Node reads it in the child. */
const preload = new URL('../../dist/embedded/worker-preload.js', import.meta.url).href;

/**
 * A worker process, restarted whenever it dies. It starts at once, goes to work when `handed` is there, and ends by itself when its
 * IPC channel to us closes.
 */
export function workerProcess(options: { index: number; entry: string; dataDir: string; handed: Promise<WorkerProcessConfig>; onEvent(event: KeptProcessEvent): void }): KeptProcess {
  const log = join(options.dataDir, 'logs', `worker-${options.index}.log`);
  return new KeptProcess({
    name: `worker ${options.index}`,
    launch: () => {
      const fd = openLog(log);
      try {
        const child = spawn(process.execPath, ['--import', preload, options.entry], { detached: true, stdio: ['ignore', 'pipe', fd, 'ipc'] });
        options.handed.then((handed) => child.connected && child.send(handed, () => undefined)).catch(() => undefined);
        return child;
      } finally {
        closeSync(fd);
      }
    },
    ready: (child, signal) =>
      new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        onLine(child.stdout!, (line) => {
          if (line === 'ready') resolve();
        });
      }),
    lastWords: () => lastLine(log),
    graceMs: GRACE_MS,
    onEvent: options.onEvent,
  });
}
