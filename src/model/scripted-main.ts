/**
 * Process of the scripted model: `scripted-main --port 0 --playbooks DIR[,DIR]`. Prints one line `{"port":n}` when it
 * listens; ends
 * when the process that started it closes its standard input or IPC channel, or on SIGTERM or SIGINT. Exit code 64:
 * wrong options or playbooks.
 */
import { fstatSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Nl2codeError } from '../session/error-table.js';
import { loadPlaybooks } from './scripted/playbook.js';
import { startScriptedServer } from './scripted/server.js';

function options(): { port: number; folders: string[] } {
  const { values } = parseArgs({
    options: { port: { type: 'string', default: '0' }, playbooks: { type: 'string' } },
    strict: true,
  });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Nl2codeError('bad-request', `--port is "${values.port}"; give 0 to 65535.`);
  if (values.playbooks === undefined)
    throw new Nl2codeError('bad-request', '--playbooks is missing; give one or more folders, separated by commas.');
  return { port, folders: values.playbooks.split(',').filter((f) => f !== '') };
}

try {
  const { port, folders } = options();
  const server = await startScriptedServer({ playbooks: loadPlaybooks(folders), port });
  const end = () => void server.close().then(() => process.exit(0));
  process.on('SIGTERM', end).on('SIGINT', end).on('disconnect', end);
  // Only a pipe says when its other end dies; /dev/null and terminals don't.
  const stdin = fstatSync(0);
  if (!process.connected && (stdin.isFIFO() || stdin.isSocket()))
    process.stdin.on('end', end).on('error', end).resume();
  process.stdout.write(`${JSON.stringify({ port: server.port })}\n`);
} catch (error) {
  process.stderr.write(`scripted model: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(64);
}
