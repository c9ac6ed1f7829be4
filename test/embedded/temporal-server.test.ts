import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Connection } from '@temporalio/client';
import { expect, test } from 'vitest';
import { packageRoot } from '../../src/config/package-root.js';
import { freePort } from '../../src/embedded/port.js';
import { findTemporalExecutable } from '../../src/embedded/temporal-executable.js';
import { databaseFile, prepareTemporalServer } from '../../src/embedded/temporal-server.js';
import { EMBEDDED_RETENTION_MS, prepareNamespace, readNamespace, SEARCH_ATTRIBUTES } from '../../src/temporal-namespace.js';
import { answers, until } from './host-room.js';

const executable = findTemporalExecutable(join(packageRoot(), '.runtime'));

test('a database from before gets our search attributes and a longer retention; one that somebody has set stands', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'nl2code-old-'));
  mkdirSync(dirname(databaseFile(dataDir)));
  const port = await freePort();
  const before = spawn(executable, ['server', 'start-dev', '--headless', '--ip', '127.0.0.1', '--port', String(port), '--db-filename', databaseFile(dataDir), '--log-level', 'error'], { stdio: 'ignore' });
  await until('the server', () => answers(`127.0.0.1:${port}`));
  const bare = await Connection.connect({ address: `127.0.0.1:${port}` });
  expect((await readNamespace(bare, 'default')).missing.map(({ name, type }) => `${name}=${type}`)).toEqual(SEARCH_ATTRIBUTES);
  await bare.close();
  before.kill('SIGTERM');
  await once(before, 'exit');

  const server = await prepareTemporalServer({ executable, dataDir, port: 0, uiPort: null, namespace: 'default', durability: 'process', onEvent: () => undefined });
  await server.process.start();
  const connection = await Connection.connect({ address: server.address });
  try {
    const namespace = () => readNamespace(connection, 'default');
    await prepareNamespace(connection, 'default');
    expect(await namespace()).toEqual({ retentionMs: EMBEDDED_RETENTION_MS, missing: [] });
    await connection.workflowService.updateNamespace({ namespace: 'default', config: { workflowExecutionRetentionTtl: { seconds: 172_800 as never } } });
    await prepareNamespace(connection, 'default');
    expect((await namespace()).retentionMs).toBe(172_800_000);
  } finally {
    await connection.close();
    await server.process.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}, 60_000);
