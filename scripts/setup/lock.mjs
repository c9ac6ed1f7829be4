import { createHash } from 'node:crypto';
import { unlinkSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Lets one set-up of a folder run at a time, within one user session of one machine. The lock is a listening socket, so the
 * system frees it when its holder dies, however it dies. `onWait` is called once if somebody else holds it.
 */
export async function withSetupLock(folder, onWait, work) {
  const name = `nl2code-setup-${createHash('sha256').update(folder).digest('hex').slice(0, 24)}`;
  const path = socketPath(name);
  let server;
  let waited = false;
  while ((server = await listen(path)) === null) {
    if (!waited) onWait();
    waited = true;
    await holderLeaves(path);
  }
  try {
    return await work();
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

/** Linux has names that vanish with their socket, Windows has pipes that do; elsewhere it is a file. */
function socketPath(name) {
  if (process.platform === 'linux') return `\0${name}`;
  return process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`);
}

function listen(path) {
  return new Promise((resolve, reject) => {
    const waiting = new Set();
    const server = createServer((socket) => {
      waiting.add(socket);
      socket.on('error', () => undefined).on('close', () => waiting.delete(socket));
    });
    const close = server.close.bind(server);
    server.close = (done) => {
      close(done);
      for (const socket of waiting) socket.destroy();
      return server;
    };
    server.once('error', (error) => (error.code === 'EADDRINUSE' ? resolve(null) : reject(error)));
    server.listen(path, () => resolve(server));
  });
}

/** Resolves when the holder closes the socket or is found to be dead. */
function holderLeaves(path) {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on('error', (error) => {
      // A socket file without a listener: its holder was killed.
      if (error.code === 'ECONNREFUSED' && !path.startsWith('\0')) unlinkSync(path);
    });
    socket.on('close', resolve);
    socket.resume();
  });
}
