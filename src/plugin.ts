import { SimplePlugin } from '@temporalio/plugin';
import type { ClientOptions } from '@temporalio/client';
import type { Worker, WorkerOptions } from '@temporalio/worker';
import { createActivities } from './activities/activities.js';
import type { StepWorld } from './activities/world.js';
import { resolveConfig, type ConfigFlags } from './config/resolve-config.js';
import { createWorld } from './world.js';

/** Recovery within seconds needs these; a user's own values stand over them. */
const QUICK_RECOVERY = { stickyQueueScheduleToStartTimeout: '2s', maxHeartbeatThrottleInterval: '500ms', defaultHeartbeatThrottleInterval: '500ms' } as const;

/** Options that stand over the environment and `nl2code.config.yaml`, or a world of your own (tests, other backends). */
export type Nl2codePluginOptions = ConfigFlags | { world: StepWorld };

/**
 * Adds nl2code's activities to a Worker. Give it to `Worker.create({ plugins })` (and to a Client, if you like), and re-export the workflow
 * from `temporal-nl2code/workflow` in your own workflows module. It adds no interceptor and takes none away; a name of yours that starts
 * with `nl2code-` and collides is refused when the Worker is made.
 */
export class Nl2codePlugin extends SimplePlugin {
  private readonly own: Map<string, unknown>;
  private readonly world: StepWorld;

  constructor(options: Nl2codePluginOptions = {}) {
    const world = 'world' in options ? options.world : createWorld(resolveConfig({ flags: options, env: process.env, cwd: process.cwd() }));
    const activities = createActivities(world);
    super({ name: 'nl2code', activities });
    this.world = world;
    this.own = new Map(Object.entries(activities));
  }

  override configureWorker(options: WorkerOptions): WorkerOptions {
    this.refuseTaken((options.activities ?? {}) as Record<string, unknown>);
    return super.configureWorker({ ...QUICK_RECOVERY, ...options });
  }

  /** A plugin that comes later may have put its own activity in the place of one of ours. */
  override async runWorker(worker: Worker, next: (worker: Worker) => Promise<void>): Promise<void> {
    this.refuseTaken(Object.fromEntries(worker.options.activities));
    const running = super.runWorker(worker, next);
    this.world.ready?.();
    return running;
  }

  /** Keeps the user's interceptors of every kind. */
  override configureClient(options: ClientOptions): ClientOptions {
    const configured = super.configureClient(options);
    return { ...configured, interceptors: { ...options.interceptors, ...configured.interceptors } };
  }

  /** The same plugin may come twice, from a Connection and from the Worker; another's activity of the same name may not. */
  private refuseTaken(activities: Record<string, unknown>): void {
    const taken = [...this.own].filter(([name, activity]) => Object.hasOwn(activities, name) && activities[name] !== activity).map(([name]) => name);
    if (taken.length > 0) throw new TypeError(`The worker already has activities named ${taken.join(', ')}: rename them, these names belong to the nl2code plugin.`);
  }
}
