import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import type { WorkerProcessConfig } from '../worker.js';
import { lastLine, openLog } from './child-log.js';
import { KeptProcess, type KeptProcessEvent } from './kept-process.js';
import { onLine } from './lines.js';

/** Workers give running activities back at once; this is for one that is stuck. */
const GRACE_MS = 8000;

/** A worker process, restarted whenever it dies. It ends by itself when its IPC channel to us closes. */
export function workerProcess(options: { index: number; entry: string; dataDir: string; handed: WorkerProcessConfig; onEvent(event: KeptProcessEvent): void }): KeptProcess {
  const log = join(options.dataDir, 'logs', `worker-${options.index}.log`);
  return new KeptProcess({
    name: `worker ${options.index}`,
    launch: () => {
      const fd = openLog(log);
      try {
        // By the environment: a command line is there for everybody to read, and this holds the model key.
        const env = { ...process.env, NL2CODE_WORKER_CONFIG: JSON.stringify(options.handed) };
        return spawn(process.execPath, [options.entry], { detached: true, env, stdio: ['ignore', 'pipe', fd, 'ipc'] });
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
