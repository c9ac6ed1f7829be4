import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { Client, Connection, type ClientOptions } from '@temporalio/client';
import type { WorkerOptions } from '@temporalio/worker';
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

  test("lets the user's own settings stand over those for quick recovery", () => {
    expect(configured({ maxHeartbeatThrottleInterval: '9s' })).toMatchObject({ maxHeartbeatThrottleInterval: '9s', defaultHeartbeatThrottleInterval: '500ms', stickyQueueScheduleToStartTimeout: '2s' });
  });
});

test("the plugin on a client keeps the user's interceptors of every kind", async () => {
  const interceptors: ClientOptions['interceptors'] = { workflow: [{}], schedule: [{}] };
  const connection = Connection.lazy();
  try {
    const { options } = new Client({ connection, plugins: [plugin], interceptors });
    expect(options.interceptors.workflow).toEqual(interceptors.workflow);
    expect(options.interceptors.schedule).toEqual(interceptors.schedule);
  } finally {
    await connection.close();
  }
});
