/**
 * Loaded before a worker process's own script: gets the imports of a worker done while the server still starts, then waits for its host
 * to say where server and model listen. What is handed over comes by IPC: an environment is there for others of the user to read, and
 * this holds the model key. Nothing happens in the threads of the process, which load this file too.
 */
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';

async function awaitHost(): Promise<void> {
  const isWorker = process.argv[1] === fileURLToPath(new URL('../worker.js', import.meta.url));
  const imported = isWorker ? Promise.all([import('@temporalio/worker'), import('../world.js'), import('../plugin.js')]) : null;
  const endWithHost = () => process.exit(0);
  process.once('disconnect', endWithHost);
  const handed = await new Promise((resolve) => process.once('message', resolve));
  process.off('disconnect', endWithHost);
  process.env.NL2CODE_WORKER_CONFIG = JSON.stringify(handed);
  await imported;
}

if (isMainThread) await awaitHost();
