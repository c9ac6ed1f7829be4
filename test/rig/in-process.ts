import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { createAdmission, type RequestOptions } from '../../src/admission/admit.js';
import { Nl2codeClient } from '../../src/client.js';
import type { ResolvedConfig } from '../../src/config.js';
import { Nl2codePlugin } from '../../src/plugin.js';
import type { SessionStore } from '../../src/store/session-store.js';
import { scriptedModel, type ScriptedModel } from '../../src/testing/scripted-model.js';
import { isolatedConfig, testWorld } from '../../src/testing/test-world.js';
import type { Tool } from '../../src/tools/tool.js';
import type { World } from '../../src/world.js';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The repository's root. */
export const ROOT = here('../..');
/** Playbooks written for tests. */
export const PLAYBOOKS = here('./playbooks');

/** A configuration that keeps everything of a test in one folder and asks nothing of the environment. */
export function testConfig(dataDir: string, over: Partial<ResolvedConfig> = {}): ResolvedConfig {
  return { ...isolatedConfig(dataDir), ...over };
}

export interface InProcess {
  dir: string;
  client: Nl2codeClient<RequestOptions>;
  temporal: Client;
  store: SessionStore;
  world: World;
  modelUrl: string;
  taskQueue: string;
  /** A client whose sessions are for the workers of another task queue. */
  clientOn(taskQueue: string): Nl2codeClient<RequestOptions>;
  close(): Promise<void>;
}

/** A real worker of this process on the suite's server, a real scripted model, real sandboxes. */
export async function startInProcess(address: string, options: { maxCachedWorkflows?: number; interceptors?: WorkerOptions['interceptors']; world?: (world: World) => World; namespace?: string; taskQueue?: string; contextTokens?: number; tools?: readonly Tool[]; model?: ScriptedModel } = {}): Promise<InProcess> {
  const model = options.model ?? (await scriptedModel([PLAYBOOKS, join(ROOT, 'packs', 'marketing', 'playbooks')]));
  const { namespace = 'default' } = options;
  const taskQueue = options.taskQueue ?? `test-${process.pid}-${Math.random().toString(36).slice(2)}`;
  const real = testWorld({ model, sandbox: 'real' });
  const { dir, config } = real;
  const world = options.world?.(real) ?? real;
  const connection = await Connection.connect({ address });
  const native = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    connection: native,
    namespace,
    taskQueue,
    workflowBundle: { codePath: join(ROOT, 'dist', 'workflow-bundle.js') },
    plugins: [new Nl2codePlugin({ world, ...(options.tools ? { tools: options.tools } : {}) })],
    ...(options.interceptors === undefined ? {} : { interceptors: options.interceptors }),
    ...(options.maxCachedWorkflows === undefined ? {} : { maxCachedWorkflows: options.maxCachedWorkflows }),
  });
  const running = worker.run();
  const temporal = new Client({ connection, namespace });
  const { store } = world;
  const admission = createAdmission(options.contextTokens === undefined ? config : { ...config, model: { ...config.model, contextTokens: options.contextTokens } }, { cwd: dir, endpoint: world.endpoint });
  const clientOn = (queue: string) => new Nl2codeClient({ client: temporal, store, taskQueue: queue, admission });
  return {
    dir,
    temporal,
    store,
    world,
    modelUrl: model.baseUrl,
    taskQueue,
    client: clientOn(taskQueue),
    clientOn,
    async close() {
      worker.shutdown();
      await running;
      await real.close();
      await native.close();
      await connection.close();
      await model.close();
    },
  };
}

/** Follows to the end; `seen` is called with everything on the way. */
export async function toEnd(rig: Pick<InProcess, 'client'>, session: string, seen?: (followed: import('../../src/follow.js').Followed) => void | Promise<void>, request?: string) {
  for await (const followed of rig.client.follow(session, request === undefined ? {} : { request })) {
    await seen?.(followed);
    if (followed.kind === 'end') return followed;
  }
  throw new Error('the follower ended without an end');
}
