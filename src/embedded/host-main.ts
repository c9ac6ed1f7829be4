/**
 * Process of an ephemeral host: configuration in NL2CODE_HOST_CONFIG, tells the one who started it over IPC how the start went, leaves
 * with its last client. Its own log is `<dataDir>/logs/host.log`.
 */
import type { ResolvedConfig } from '../config.js';
import { Nl2codeError } from '../session/error-table.js';
import { runHost, type HostEvent, type HostOptions } from './host.js';

/** What the one who starts the process hands over. */
export interface HostProcessConfig {
  config: ResolvedConfig;
  options: Pick<HostOptions, 'workers' | 'entries'>;
}

/** What the process answers: clients may attach, somebody else serves, or the start failed. */
export type HostProcessMessage = { kind: 'listening' } | { kind: 'held' } | { kind: 'failed'; code: Nl2codeError['code']; message: string };

const { config, options } = JSON.parse(process.env.NL2CODE_HOST_CONFIG ?? 'null') as HostProcessConfig;
delete process.env.NL2CODE_HOST_CONFIG;

const tell = (message: HostProcessMessage): void => {
  if (process.connected) process.send!(message, () => undefined);
};
const log = (event: HostEvent): void => {
  if (event.kind === 'host-listening') tell({ kind: 'listening' });
  process.stderr.write(`${new Date().toISOString()} ${JSON.stringify(event.kind === 'host-ready' ? { kind: event.kind } : event)}\n`);
};

try {
  await runHost(config, { ...options, mode: 'ephemeral', onEvent: log });
} catch (error) {
  const failure = error instanceof Nl2codeError ? error : new Nl2codeError('host-failed', String(error));
  process.stderr.write(`${new Date().toISOString()} ${failure.message}\n`);
  tell(failure.code === 'host-locked' ? { kind: 'held' } : { kind: 'failed', code: failure.code, message: failure.message });
  process.exitCode = 1;
}
if (process.connected) process.disconnect();
