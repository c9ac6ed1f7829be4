import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { Nl2codeError } from '../../session/error-table.js';

const O_PATH = 0o10000000;

/**
 * Opens the stream of the sandbox in `folder`. On Linux through an opened descriptor: Node cuts socket paths above 107 bytes
 * without a word, and a symbolic link in place of the socket would lead to another service of the host.
 * Throws `sandbox-lost` when nobody listens.
 */
export async function openStream(folder: string): Promise<Socket> {
  const path = join(folder, 'run', 's.sock');
  if (process.platform !== 'linux') return dial(path, folder);
  let fd: number;
  try {
    fd = openSync(path, O_PATH | constants.O_NOFOLLOW);
  } catch (error) {
    throw lost(folder, error);
  }
  try {
    if (!fstatSync(fd).isSocket()) throw new Nl2codeError('sandbox-lost', `${path} is not a socket.`);
    return await dial(`/proc/self/fd/${fd}`, folder);
  } finally {
    closeSync(fd);
  }
}

function dial(path: string, folder: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', (error) => reject(lost(folder, error)));
  });
}

function lost(folder: string, cause: unknown): Nl2codeError {
  return new Nl2codeError('sandbox-lost', `No sandbox answers in ${folder}.`, { cause });
}
