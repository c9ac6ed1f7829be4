import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { ResolvedConfig } from './config.js';
import { Nl2codePlugin } from './plugin.js';
import { connectOptions } from './temporal-connection.js';
import { prepareNamespace } from './temporal-namespace.js';
import { createWorld } from './world.js';

/** What `up` hands its worker processes: the configuration, and where the embedded parts listen. */
export interface WorkerProcessConfig {
  config: ResolvedConfig;
  /** Address of the embedded Temporal server; null when the configuration names one. */
  address: string | null;
  /** Base URL of the scripted model; null when an endpoint is configured. */
  modelUrl: string | null;
}

/** The prebuilt workflow bundle of `npm run build`, else the workflow's source. */
export function workflowSource(): { workflowBundle: { codePath: string } } | { workflowsPath: string } {
  const bundle = fileURLToPath(new URL('./workflow-bundle.js', import.meta.url));
  return existsSync(bundle) ? { workflowBundle: { codePath: bundle } } : { workflowsPath: fileURLToPath(new URL('./workflow.js', import.meta.url)) };
}

/** Runs a worker until `signal` aborts. Stops polling first, then gives up its warm sandboxes; sessions' sandboxes live on. */
export async function runWorker({ config, address, modelUrl }: WorkerProcessConfig, signal: AbortSignal, ready: () => void): Promise<void> {
  const world = createWorld(config, modelUrl);
  const connection = await NativeConnection.connect(connectOptions(config, address ?? undefined));
  try {
    const worker = await Worker.create({ connection, namespace: config.namespace, taskQueue: config.taskQueue, ...workflowSource(), plugins: [new Nl2codePlugin({ world })] });
    // A server that can't be prepared serves sessions all the same.
    if (address !== null) await prepareNamespace(connection, config.namespace).catch(() => undefined);
    const running = worker.run();
    const shutdown = () => worker.getState() === 'RUNNING' && worker.shutdown();
    signal.addEventListener('abort', shutdown, { once: true });
    // An abort that came while the worker was made fires no event any more.
    if (signal.aborted) shutdown();
    ready();
    await running;
  } finally {
    await world.close();
    await connection.close();
  }
}

/** Entry of a worker process: configuration in NL2CODE_WORKER_CONFIG, `ready` on stdout, ends with its parent or on SIGTERM. */
async function main(): Promise<void> {
  const text = process.env.NL2CODE_WORKER_CONFIG;
  if (!text) throw new Error('NL2CODE_WORKER_CONFIG is not set: worker processes are started by nl2code up or nl2code run.');
  delete process.env.NL2CODE_WORKER_CONFIG;
  Runtime.install({ logger: new DefaultLogger('WARN'), shutdownSignals: [], telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' }, forward: {} } } });
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => stop.abort());
  process.on('disconnect', () => stop.abort());
  await runWorker(JSON.parse(text) as WorkerProcessConfig, stop.signal, () => process.stdout.write('ready\n'));
  process.exit(0);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  });
}
