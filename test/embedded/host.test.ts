import { readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HostEvent } from '../../src/embedded/host.js';
import { lockHolder } from '../../src/embedded/host-lock.js';
import { identityOf } from '../../src/embedded/process-identity.js';
import { HostRoom, answers, exitCode, kill, until } from './host-room.js';

let room: HostRoom;
beforeEach(() => {
  room = new HostRoom();
});
afterEach(() => room.close());

type Said = ReturnType<HostRoom['up']>['said'];

/** The events up to and with one of that kind. */
async function eventsTo(said: Said, kind: HostEvent['kind'] | 'refused') {
  const events = [];
  for (;;) {
    const event = await said();
    if (event === null) throw new Error(`the process ended without ${kind}: ${JSON.stringify(events)}`);
    events.push(event);
    if (event.kind === kind) return events;
  }
}
const pidOf = (name: string) => until(`a ${name}`, () => pids(name));
function pids(name: string): number | null {
  const record = room.record(room.config());
  if (record === null) return null;
  return record.children.find(({ pid }) => commandOf(pid).includes(name))?.pid ?? null;
}
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

describe('up', () => {
  it('stops workers first and the server last on SIGTERM, and leaves no process', async () => {
    const { child, said } = room.up(room.config());
    await eventsTo(said, 'host-ready');
    const record = room.record(room.config())!;
    expect(record).toMatchObject({ pid: child.pid, mode: 'up', namespace: 'default' });
    const server = identityOf(await pidOf('start-dev'))!;
    child.kill('SIGTERM');
    await until('the end of the worker', () => identityOf(record.workers[0]!) === null);
    expect(identityOf(server.pid)).toEqual(server);
    expect(await exitCode(child)).toBe(0);
    expect(room.survivors()).toEqual([]);
    expect(lockHolder(room.config().dataDir)).toBeNull();
    expect(room.record(room.config())).toBeNull();
  });

  it('refuses a data directory that another serves, in one sentence', async () => {
    const first = room.up(room.config());
    await eventsTo(first.said, 'host-listening');
    const second = room.up(room.config());
    const refused = await eventsTo(second.said, 'refused');
    expect(refused.at(-1)).toEqual({
      kind: 'refused',
      message: `The data directory ${room.config().dataDir} is served by process ${first.child.pid}. Another nl2code serves this data directory; stop it or use another --data-dir.`,
    });
    expect(await exitCode(second.child)).toBe(1);
    await eventsTo(first.said, 'host-ready');
  });

  it('stays when its clients leave', async () => {
    const up = room.up(room.config());
    await eventsTo(up.said, 'host-ready');
    const client = room.client(room.config(), { embed: false });
    expect((await client.said())!.hostPid).toBe(up.child.pid);
    client.leave();
    expect(await exitCode(client.child)).toBe(0);
    expect(up.child.exitCode).toBeNull();
    expect(await answers(room.record(room.config())!.address)).toBe(true);
  });

  it('ends everything at once on a second signal, though a worker is stuck', async () => {
    const up = room.up(room.config(), undefined, { STAND_IN: 'stuck' });
    await eventsTo(up.said, 'host-ready');
    room.record(room.config());
    up.child.kill('SIGINT');
    await eventsTo(up.said, 'host-stopping');
    const asked = performance.now();
    up.child.kill('SIGINT');
    expect(await exitCode(up.child)).toBe(1);
    expect(performance.now() - asked).toBeLessThan(4000);
    await until('the end of all processes', () => room.survivors().length === 0);
  });

  it('refuses a port that a stranger uses, in one sentence, before anything starts', async () => {
    const stranger = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => stranger.once('listening', resolve));
    const { port } = stranger.address() as { port: number };
    try {
      const up = room.up(room.config({ temporal: { mode: 'embedded', port, uiPort: null } }));
      const refused = (await eventsTo(up.said, 'refused')).at(-1);
      expect(refused).toMatchObject({ message: `Port ${port}, wanted for the Temporal server, is used by another program. Stop the other program or choose another port; 0 takes any free one.` });
      expect(await exitCode(up.child)).toBe(1);
      expect(lockHolder(room.config().dataDir)).toBeNull();
    } finally {
      stranger.close();
    }
  });

  it('starts no server for an external Temporal, but workers', async () => {
    const up = room.up(room.config({ temporal: { mode: 'external', profile: null } }), undefined, { TEMPORAL_ADDRESS: '127.0.0.1:1' });
    await eventsTo(up.said, 'host-ready');
    const record = room.record(room.config())!;
    expect(record).toMatchObject({ address: '127.0.0.1:1', uiUrl: null });
    expect(record.children).toHaveLength(2);
  });

  it('shows the model key in no environment and no command line of its children', async () => {
    const base = room.config();
    const up = room.up({ ...base, model: { ...base.model, apiKey: 'sk-planted-key' } });
    await eventsTo(up.said, 'host-ready');
    const { children } = room.record(base)!;
    expect(children).toHaveLength(3);
    for (const { pid } of children) for (const name of ['environ', 'cmdline']) expect(readFileSync(`/proc/${pid}/${name}`, 'utf8')).not.toContain('sk-planted-key');
    expect(readFileSync(join(base.dataDir, 'host.json'), 'utf8')).not.toContain('sk-planted-key');
  });

  it('keeps its children out of its own process group, so that Ctrl-C reaches it alone', async () => {
    const up = room.up(room.config());
    await eventsTo(up.said, 'host-ready');
    const group = (pid: number) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')[2];
    for (const { pid } of room.record(room.config())!.children) expect(group(pid)).toBe(String(pid));
  });
});

describe('a host whose part is killed', () => {
  let client: Client;
  let connection: Connection;

  it('starts each again: the server on its port with its data, the worker, the model at its address', async () => {
    const up = room.up(room.config());
    await eventsTo(up.said, 'host-ready');
    const record = room.record(room.config())!;
    connection = await Connection.connect({ address: record.address });
    client = new Client({ connection });
    const handle = await client.workflow.start('nobodyServesThis', { taskQueue: 'nobody', workflowId: 'kept' });

    const server = await pidOf('start-dev');
    kill(server);
    await until('another server', () => pids('start-dev') !== null && pids('start-dev') !== server);
    await until('its answer', () => answers(record.address));
    expect((await handle.describe()).status.name).toBe('RUNNING');

    const [worker] = record.workers;
    kill(worker!);
    await until('another worker', () => room.record(room.config())!.workers.some((pid) => pid !== worker));

    const model = await pidOf('scripted-main');
    kill(model);
    await until('another model', () => pids('scripted-main') !== null && pids('scripted-main') !== model);
    await until('its answer', async () => (await fetch(`${record.modelUrl}/models`).catch(() => null))?.ok ?? false);

    // The next host after a kill of this one finds the same workflow.
    kill(up.child.pid!);
    const next = room.up(room.config());
    const events = await eventsTo(next.said, 'host-ready');
    expect(room.record(room.config())!.address).toBe(record.address);
    expect(events.map((event) => event.kind)).toContain('process-started');
    expect((await handle.describe()).status.name).toBe('RUNNING');
    await connection.close();
    next.child.kill('SIGTERM');
    expect(await exitCode(next.child)).toBe(0);
    expect(room.survivors()).toEqual([]);
  });

  it('leaves one server on its database, though the killed one is written down nowhere', async () => {
    const up = room.up(room.config());
    await eventsTo(up.said, 'host-ready');
    const server = identityOf(await pidOf('start-dev'))!;
    // As where nothing ends a child with its parent: the server is stopped when that signal comes.
    process.kill(server.pid, 'SIGSTOP');
    kill(up.child.pid!);
    await until('the end of the host', () => identityOf(up.child.pid!) === null);
    rmSync(join(room.config().dataDir, 'host.json'));
    const next = room.up(room.config());
    const events = await eventsTo(next.said, 'host-ready');
    expect(events).toContainEqual({ kind: 'leftovers-ended', pids: [server.pid] });
    expect(identityOf(server.pid)).toBeNull();
  });
});
