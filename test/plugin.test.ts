import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { Client, Connection, type ClientOptions } from '@temporalio/client';
import type { Worker, WorkerOptions } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Nl2codePlugin } from '../src/plugin.js';
import { createWorld, type World } from '../src/world.js';
import { testConfig } from './rig/in-process.js';

const NAMES = ['nl2code-open', 'nl2code-plan', 'nl2code-code', 'nl2code-execute', 'nl2code-review', 'nl2code-retry', 'nl2code-close'];

let dir: string;
let world: World;
let plugin: Nl2codePlugin;
beforeAll(() => {
  dir = mkdtempSync(`${tmpdir()}/nl2code-plugin-`);
  world = createWorld(testConfig(dir), 'http://127.0.0.1:9/v1');
  plugin = new Nl2codePlugin({ world });
});
afterAll(async () => {
  await world.close();
  rmSync(dir, { recursive: true, force: true });
});

test('a tool that can not be used is refused when the plugin is made', () => {
  const tool = { name: 'send mail', description: 'Sends.', parameters: { type: 'object' }, idempotency: 'none' as const, run: () => null };
  expect(() => new Nl2codePlugin({ world, tools: [tool] })).toThrow(/^A tool is called "send mail"/);
  expect(() => new Nl2codePlugin({ world, tools: [{ ...tool, name: 'send_mail' }] })).not.toThrow();
});

const mine = async () => 'mine';
const configured = (options: Partial<WorkerOptions>) => plugin.configureWorker({ taskQueue: 'mine', ...options });

describe('the plugin on a worker', () => {
  test("adds its activities, prefixed, beside the user's", () => {
    const { activities } = configured({ activities: { greet: mine } });
    expect(Object.keys(activities as object).sort()).toEqual(['greet', ...NAMES].sort());
    expect((activities as { greet: unknown }).greet).toBe(mine);
  });

  test.each(NAMES)('refuses an activity of the user that is named %s', (name) => {
    expect(() => configured({ activities: { [name]: mine } })).toThrow(`The worker already has activities named ${name}: rename them, these names belong to the nl2code plugin.`);
  });

  test('refuses a second plugin with another world', () => {
    expect(() => new Nl2codePlugin({ world }).configureWorker(configured({}))).toThrow('these names belong to the nl2code plugin');
  });

  test('may come twice, from a connection and from the worker', () => {
    expect(Object.keys(plugin.configureWorker(configured({})).activities as object)).toHaveLength(NAMES.length);
  });

  test("keeps the user's interceptors of every kind", () => {
    const interceptors: WorkerOptions['interceptors'] = {
      activity: [() => ({ inbound: {} })],
      nexus: [() => ({ inbound: {} })],
      workflowModules: ['./interceptors.js'],
      client: { workflow: [{}], schedule: [{}] },
    };
    expect(configured({ interceptors }).interceptors).toEqual(interceptors);
  });

  test("lets the user's own settings stand over its own", () => {
    expect(configured({ maxHeartbeatThrottleInterval: '9s' })).toMatchObject({ maxHeartbeatThrottleInterval: '9s', defaultHeartbeatThrottleInterval: '500ms', stickyQueueScheduleToStartTimeout: '2s' });
    expect(configured({})).toMatchObject({ isolateExecutionTimeout: '60s' });
    expect(configured({ isolateExecutionTimeout: '5s' } as Partial<WorkerOptions>)).toMatchObject({ isolateExecutionTimeout: '5s' });
  });
});

test("the plugin on a client changes nothing: the user's interceptors of every kind, converter and identity stay", () => {
  const options: ClientOptions = { interceptors: { workflow: [{}], schedule: [{}], activity: [{}], nexus: [{}] }, dataConverter: { payloadCodecs: [] }, identity: 'mine' };
  const configured = plugin.configureClient(options as never) as ClientOptions;
  for (const [name, value] of Object.entries(options)) expect(configured[name as keyof ClientOptions]).toBe(value);
});

describe('a plugin with options', () => {
  const options = () => ({ dataDir: `${dir}/lazy`, baseUrl: 'http://127.0.0.1:9/v1', pool: 0 });

  test('opens nothing until a worker is made, so that a client program can hold it without an endpoint', async () => {
    const lazy = new Nl2codePlugin({ dataDir: `${dir}/lazy`, model: 'scripted' });
    expect(new Client({ connection: Connection.lazy(), plugins: [lazy] }).options.plugins).toEqual([lazy]);
    expect(existsSync(`${dir}/lazy`)).toBe(false);
    expect(() => lazy.configureWorker({ taskQueue: 'mine' })).toThrow('No model endpoint is configured: set OPENAI_BASE_URL');
  });

  test('refuses wrong ones when it is made', () => {
    expect(() => new Nl2codePlugin({ ...options(), durability: 'always' })).toThrow(/durability.*"always"/);
  });

  test('makes one world for all workers of the process, and a new one when the last of them has stopped', async () => {
    const lazy = new Nl2codePlugin(options());
    const [first, second] = [lazy.configureWorker({ taskQueue: 'a' }), lazy.configureWorker({ taskQueue: 'b' })];
    expect(second.activities).toEqual(first.activities);
    const stops: (() => void)[] = [];
    const run = (worker: WorkerOptions) => lazy.runWorker({ options: { activities: new Map(Object.entries(worker.activities!)) } } as unknown as Worker, () => new Promise((resolve) => stops.push(resolve)));
    const runs = [run(first), run(second)];
    stops[0]!();
    await runs[0];
    const third = lazy.configureWorker({ taskQueue: 'c' });
    expect(third.activities).toEqual(first.activities);
    stops[1]!();
    await runs[1];
    // One that was made before the others stopped runs after them.
    expect(lazy.configureWorker(third).activities).toEqual(first.activities);
    const last = run(third);
    stops[2]!();
    await last;
    const later = lazy.configureWorker({ taskQueue: 'd' }).activities as Record<string, unknown>;
    expect(Object.keys(later)).toEqual(NAMES);
    expect(later['nl2code-open']).not.toBe((first.activities as Record<string, unknown>)['nl2code-open']);
  });

  test('refuses a data directory of another format before the worker runs', () => {
    mkdirSync(`${dir}/newer`);
    writeFileSync(`${dir}/newer/version`, '7\n');
    expect(() => new Nl2codePlugin({ ...options(), dataDir: `${dir}/newer` }).configureWorker({ taskQueue: 'mine' })).toThrow('was written by a newer nl2code');
  });
});
