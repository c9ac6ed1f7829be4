import { chmodSync, mkdirSync, rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { attachHost } from '../../src/embedded/attach.js';
import { hostSocketPath } from '../../src/embedded/host-socket.js';
import { lockHolder } from '../../src/embedded/host-lock.js';
import { HostRoom, answers, entries, exitCode, kill, until } from './host-room.js';

let room: HostRoom;
beforeEach(() => {
  room = new HostRoom();
});
afterEach(() => room.close());

describe('attaching', () => {
  it('without a host and without leave to bring one finds nobody and makes nothing', async () => {
    const config = room.config();
    expect(await attachHost(config, { embed: false })).toBeNull();
    expect(room.record(config)).toBeNull();
  });

  it('to an external Temporal without a host gives its address alone', async () => {
    const config = room.config({ temporal: { mode: 'external', profile: null } });
    process.env.TEMPORAL_ADDRESS = 'temporal.example:7233';
    const lease = await attachHost(config, { embed: false }).finally(() => delete process.env.TEMPORAL_ADDRESS);
    expect(lease).toMatchObject({ address: 'temporal.example:7233', hostPid: null, owned: false });
    await lease!.release();
  });

  it('six at once bring one host, and the last to leave takes everything along', async () => {
    const config = room.config();
    const clients = Array.from({ length: 6 }, () => room.client(config));
    const leases = await Promise.all(clients.map((client) => client.said()));
    expect(new Set(leases.map((lease) => lease!.hostPid)).size).toBe(1);
    expect(new Set(leases.map((lease) => lease!.address)).size).toBe(1);
    const record = room.record(config)!;
    expect(record.workers).toEqual(leases[0]!.workers);
    expect(record.children).toHaveLength(3);
    expect(await answers(record.address)).toBe(true);
    for (const client of clients.slice(0, 5)) client.leave();
    expect(await Promise.all(clients.slice(0, 5).map((client) => exitCode(client.child)))).toEqual([0, 0, 0, 0, 0]);
    expect(await answers(record.address)).toBe(true);
    clients[5]!.leave();
    expect(await exitCode(clients[5]!.child)).toBe(0);
    // The last one waits for the end of the host, so there is nothing left to wait for.
    expect(lockHolder(config.dataDir)).toBeNull();
    expect(room.record(config)).toBeNull();
    await until('the end of the host process', () => room.survivors().length === 0);
    expect(await answers(record.address)).toBe(false);
  });

  it('by a client that is killed ends with it, and leaves no process', async () => {
    const config = room.config();
    const client = room.client(config);
    const lease = (await client.said())!;
    expect(room.record(config)!.pid).toBe(lease.hostPid);
    client.child.kill('SIGKILL');
    await until('the end of all processes', () => room.survivors().length === 0);
    expect(lockHolder(config.dataDir)).toBeNull();
  });

  it('while a host leaves waits for its end and brings the next', async () => {
    const config = room.config();
    const first = room.client(config);
    const before = (await first.said())!;
    first.leave();
    await until('the closing of the socket', () => room.record(config) === null || lockHolder(config.dataDir) !== null);
    const second = room.client(config);
    const after = (await second.said())!;
    expect(after.hostPid).not.toBe(before.hostPid);
    expect(after.address).toBe(before.address);
  });

  it('works when the name of the data directory is too long for a socket', async () => {
    const dataDir = join(room.folder, 'd'.repeat(60), 'ä'.repeat(40));
    mkdirSync(dataDir, { recursive: true });
    const config = room.config({ dataDir });
    const lease = (await attachHost(config, { embed: true, host: { entries } }))!;
    const socket = room.record(config)!.socket;
    expect(Buffer.byteLength(socket)).toBeLessThan(104);
    const second = (await attachHost(config, { embed: false }))!;
    expect(second.hostPid).toBe(lease.hostPid);
    await second.release();
    await lease.release();
  });

  it('believes no socket in a folder that others may change', async () => {
    const dataDir = join(room.folder, 'd'.repeat(120));
    const config = room.config({ dataDir });
    const folder = dirname(hostSocketPath(dataDir));
    mkdirSync(folder, { mode: 0o777 });
    chmodSync(folder, 0o777);
    await expect(attachHost(config, { embed: true, host: { entries } })).rejects.toThrow(`The folder ${folder} of the host's socket may be changed by others.`);
    rmdirSync(folder);
  });

  it('fails with the last words of a worker that cannot start, and leaves no process', async () => {
    const config = room.config({ taskQueue: 'grape' });
    const client = room.client(config, undefined, { STAND_IN: 'broken' });
    expect((await client.said())!.failed).toBe("The worker 1 can't be started: no task queue called grape. The logs folder of the data directory has the details.");
    await until('a free lock', () => lockHolder(config.dataDir) === null);
    await until('the end of all processes', () => room.survivors().length === 0);
  });

  it('survives a host that is killed: the next one ends what it left and listens at the same address', async () => {
    const config = room.config();
    const client = room.client(config);
    const before = (await client.said())!;
    const left = room.record(config)!.children.map(({ pid }) => pid);
    kill(before.hostPid);
    const after = (await room.client(config).said())!;
    expect(after.hostPid).not.toBe(before.hostPid);
    expect(after.address).toBe(before.address);
    expect(room.survivors().filter((pid) => left.includes(pid))).toEqual([]);
  });
});
