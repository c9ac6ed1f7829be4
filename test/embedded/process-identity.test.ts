import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { freePort, isListening } from '../../src/embedded/port.js';
import { identityOf, isAlive } from '../../src/embedded/process-identity.js';
import { findTemporalExecutable } from '../../src/embedded/temporal-executable.js';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

it('a process is itself, and another with its pid is not', () => {
  const self = identityOf(process.pid)!;
  expect(isAlive(self)).toBe(true);
  expect(isAlive({ ...self, startTime: `${self.startTime}0` })).toBe(false);
  expect(identityOf(2 ** 22 + 1)).toBeNull();
});

it('a killed server is alive as long as one of its threads holds the port', async () => {
  const executable = findTemporalExecutable(join(root, '.runtime'));
  for (let round = 0; round < 6; round += 1) {
    const folder = mkdtempSync(join(tmpdir(), 'nl2code-killed-'));
    const port = await freePort();
    const server = spawn(executable, ['server', 'start-dev', '--headless', '--port', String(port), '--db-filename', join(folder, 'temporal.db'), '--log-level', 'never'], { stdio: 'ignore' });
    while (!(await isListening(port))) expect(server.exitCode).toBeNull();
    const identity = identityOf(server.pid!)!;
    server.kill('SIGKILL');
    while (isAlive(identity));
    expect(await isListening(port), `round ${round}`).toBe(false);
    rmSync(folder, { recursive: true, force: true });
  }
});
