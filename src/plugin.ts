import { SimplePlugin } from '@temporalio/plugin';
import type { Worker, WorkerOptions } from '@temporalio/worker';
import { createActivities, type StepActivities } from './activities/activities.js';
import type { StepWorld } from './activities/world.js';
import { shortBuildId } from './config/build-id.js';
import type { ResolvedConfig } from './config.js';
import { resolveConfig, type ConfigFlags } from './config/resolve-config.js';
import { prepareDataDir } from './embedded/data-dir.js';
import { attributesOff, missingAttributes } from './temporal-namespace.js';
import type { Tool } from './tools/tool.js';
import { ToolBridge } from './tools/tool-bridge.js';
import { createWorld } from './world.js';

/** Recovery within seconds needs these; a user's own values stand over them. */
const QUICK_RECOVERY = { stickyQueueScheduleToStartTimeout: '2s', maxHeartbeatThrottleInterval: '500ms', defaultHeartbeatThrottleInterval: '500ms' } as const;

/**
 * The SDK breaks workflow code off after 5 s by the clock. A machine under load or a frozen process reaches that without a fault of the
 * code, and Node 20 aborts the whole process when code is broken off amid promises. The session's workflow never loops. The SDK takes the
 * option, though its public type does not name it.
 */
const PATIENCE = { isolateExecutionTimeout: '60s' } as const;

/** Options that stand over the environment and `nl2code.config.yaml`. Server, namespace and task queue are those of the Worker. */
export type Nl2codePluginFlags = Omit<ConfigFlags, 'namespace' | 'taskQueue' | 'temporal' | 'temporalPort' | 'uiPort'>;

/** Options, or a world of your own (tests, other backends), which stays yours to close; and functions of yours that code in a cell may call. */
export type Nl2codePluginOptions = (Nl2codePluginFlags | { world: StepWorld }) & { tools?: readonly Tool[] };

/** How long a worker that stops waits for tools that are at it. */
const TOOLS_END_MS = 10_000;

/** What one configuration makes: a world, and the activities that work in it. */
interface Made {
  world: StepWorld;
  activities: StepActivities;
  close(): Promise<void>;
}

/**
 * Adds nl2code's activities to a Worker. Give it to `Worker.create({ plugins })`, or to the connection, and re-export the workflow from
 * `temporal-nl2code/workflow` in your own workflows module. Options are checked when it is made; sandboxes and store are opened with the
 * first Worker and closed when every one that was made has run and stopped. It adds no interceptor and takes none away; on a Client it
 * changes nothing. A name of yours that collides with one of its `nl2code-` activities is refused when the Worker is made or run.
 */
export class Nl2codePlugin extends SimplePlugin {
  private readonly make: () => Made;
  private made: Made | undefined;
  /** Workers that were made and do not run yet, and runs: the world is open for all of them. */
  private waiting = 0;
  private running = 0;
  private readonly begun = new WeakSet<Worker>();
  /** Every activity this plugin has made. */
  private readonly own = new WeakSet<object>();

  constructor(options: Nl2codePluginOptions = {}) {
    super({ name: 'nl2code' });
    const { tools, ...others } = options;
    if ('world' in others) {
      const made = calling(others.world, tools && new ToolBridge(tools));
      this.make = () => made(async () => undefined);
    } else {
      const config = resolveConfig({ flags: others, env: process.env, cwd: process.cwd() });
      const bridge = tools && new ToolBridge(tools, config.tools.allow);
      this.make = () => opened(config, bridge);
    }
  }

  override configureWorker(options: WorkerOptions): WorkerOptions {
    const given = (options.activities ?? {}) as Record<string, unknown>;
    if (!this.made) {
      this.made = this.make();
      for (const activity of Object.values(this.made.activities)) this.own.add(activity);
    }
    this.refuseTaken(given);
    const again = Object.values(given).some((activity) => this.own.has(activity as object));
    if (!again) this.waiting += 1;
    return super.configureWorker({ ...QUICK_RECOVERY, ...PATIENCE, ...shortBuildId(options), ...options, activities: { ...given, ...this.made.activities } });
  }

  override async runWorker(worker: Worker, next: (worker: Worker) => Promise<void>): Promise<void> {
    this.running += 1;
    if (!this.begun.has(worker)) this.waiting -= 1;
    this.begun.add(worker);
    try {
      // A plugin that comes later may have put its own activity in the place of one of ours.
      this.refuseTaken(Object.fromEntries(worker.options.activities));
      const running = super.runWorker(worker, next);
      void tellAttributes(worker);
      if (this.running === 1) this.made?.world.ready?.();
      await running;
    } finally {
      this.running -= 1;
      if (this.running + this.waiting === 0) await this.end();
    }
  }

  /** A Worker that is made later begins anew. */
  private async end(): Promise<void> {
    const { made } = this;
    this.made = undefined;
    await made?.close();
  }

  /** The same plugin may come twice, from a Connection and from the Worker; another's activity of the same name may not. */
  private refuseTaken(activities: Record<string, unknown>): void {
    const names = Object.keys(this.made?.activities ?? {});
    const taken = names.filter((name) => Object.hasOwn(activities, name) && !this.own.has(activities[name] as object));
    if (taken.length > 0) throw new TypeError(`The worker already has activities named ${taken.join(', ')}: rename them, these names belong to the nl2code plugin.`);
  }
}

function opened(config: ResolvedConfig, bridge: ToolBridge | undefined): Made {
  prepareDataDir(config.dataDir);
  const world = createWorld(config);
  return calling(world, bridge)(() => world.close());
}

/** Activities in a world whose cells may call tools. */
function calling(own: StepWorld, bridge: ToolBridge | undefined): (close: () => Promise<void>) => Made {
  // The world stays as it was given, and another plugin may have other tools for it.
  const world: StepWorld = bridge ? Object.assign(Object.create(own) as StepWorld, { tools: bridge }) : own;
  return (close) => ({
    world,
    activities: createActivities(world),
    async close() {
      await bridge?.settled(TOOLS_END_MS);
      await close();
    },
  });
}

/** Says once in the worker's log when its namespace lacks our search attributes; without them sessions run all the same. */
async function tellAttributes({ connection, options }: Worker): Promise<void> {
  try {
    const missing = connection ? await missingAttributes(connection, options.namespace) : [];
    if (missing.length === 0) return;
    const { Runtime } = await import('@temporalio/worker');
    Runtime.instance().logger.warn(`nl2code: ${attributesOff(missing, options.namespace)}`);
  } catch {
    // A server that does not tell is asked again by whoever starts a run.
  }
}
