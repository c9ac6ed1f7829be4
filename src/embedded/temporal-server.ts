import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Nl2codeError } from '../session/error-table.js';
import { SEARCH_ATTRIBUTES } from '../temporal-namespace.js';
import { lastLine, openLog } from './child-log.js';
import { KeptProcess, type KeptProcessEvent } from './kept-process.js';
import { LOOPBACK, freePort, isListening } from './port.js';
import { findOnPath } from './temporal-executable.js';

/** What the embedded Temporal server is started with. */
export interface TemporalServerOptions {
  executable: string;
  /** Its database, port and log live in `<dataDir>/temporal`. */
  dataDir: string;
  /** 0: the port it had before, else any free one. */
  port: number;
  /** null: no web page; 0: any free port. */
  uiPort: number | null;
  namespace: string;
  durability: 'process' | 'host';
  onEvent(event: KeptProcessEvent): void;
}

/** The running embedded server, restarted on its own port whenever it dies. */
export interface TemporalServer {
  address: string;
  uiUrl: string | null;
  process: KeptProcess;
}

/** Path of the embedded server's database. */
export const databaseFile = (dataDir: string): string => join(dataDir, 'temporal', 'temporal.db');

/** Long enough for its own orderly stop, which takes 1.4 s. */
const GRACE_MS = 5000;

/**
 * Polls of the transfer queue: 20 a second by default, which makes an idle server need 100 ms per activity. A workflow id may be
 * started again at once. With WAL, `synchronous=1` survives any killed process and `synchronous=2` a power cut.
 */
const TUNING = ['history.transferProcessorMaxPollRPS=1000', 'system.enableActivityEagerExecution=true', 'history.workflowIdReuseMinimalInterval="0s"'];

/** Chooses the ports and prepares the server; `process.start()` starts it. Host side; throws `port-in-use`. The caller holds the host lock. */
export async function prepareTemporalServer(options: TemporalServerOptions): Promise<TemporalServer> {
  const folder = join(options.dataDir, 'temporal');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const port = await choosePort(options.port, join(folder, 'port'));
  const uiPort = options.uiPort === 0 ? await freePort() : options.uiPort;
  if (uiPort !== null && (await staysTaken(uiPort))) throw inUse(uiPort, "the Temporal server's web page");
  const log = join(options.dataDir, 'logs', 'temporal.log');
  const kept = new KeptProcess({
    name: 'Temporal server',
    launch: () => launch(options, port, uiPort, log),
    ready: (_child, signal) => listens(port, signal),
    lastWords: () => lastLine(log),
    graceMs: GRACE_MS,
    onEvent: options.onEvent,
  });
  return { address: `${LOOPBACK}:${port}`, uiUrl: uiPort === null ? null : `http://${LOOPBACK}:${uiPort}`, process: kept };
}

function launch(options: TemporalServerOptions, port: number, uiPort: number | null, logFile: string): ChildProcess {
  const args = ['server', 'start-dev', '--ip', LOOPBACK, '--port', String(port), '--namespace', options.namespace, '--db-filename', databaseFile(options.dataDir)];
  args.push(...(uiPort === null ? ['--headless'] : ['--ui-port', String(uiPort)]), '--log-level', 'error');
  // In a new database only; the worker registers them in an old one.
  for (const value of SEARCH_ATTRIBUTES) args.push('--search-attribute', value);
  for (const value of TUNING) args.push('--dynamic-config-value', value);
  for (const value of ['journal_mode=WAL', `synchronous=${options.durability === 'host' ? 2 : 1}`]) args.push('--sqlite-pragma', value);
  // Where setpriv exists, the server ends with us however we end; elsewhere the next host ends it.
  const setpriv = process.platform === 'linux' ? findOnPath('setpriv') : null;
  const command = setpriv === null ? [options.executable, ...args] : [setpriv, '--pdeathsig', 'TERM', '--', options.executable, ...args];
  const log = openLog(logFile);
  try {
    // Detached: Ctrl-C goes to the whole group of a terminal, and the server must be the last to stop.
    return spawn(command[0]!, command.slice(1), { detached: true, stdio: ['ignore', log, log] });
  } finally {
    closeSync(log);
  }
}

async function listens(port: number, signal: AbortSignal): Promise<void> {
  while (!(await isListening(port))) {
    signal.throwIfAborted();
    await delay(15, undefined, { signal });
  }
}

/** The same port again and again, so that clients of a killed host find the next one where they left it. */
async function choosePort(wanted: number, file: string): Promise<number> {
  if (wanted !== 0 && (await staysTaken(wanted))) throw inUse(wanted, 'the Temporal server');
  const remembered = wanted === 0 ? rememberedPort(file) : wanted;
  const port = remembered !== null && !(wanted === 0 && (await staysTaken(remembered))) ? remembered : await freePort();
  writeFileSync(file, `${port}\n`, { mode: 0o600 });
  return port;
}

/** Whether a port is used by somebody who keeps it; a server that was just ended lets go within moments. */
async function staysTaken(port: number): Promise<boolean> {
  for (let tries = 0; tries < 20; tries += 1) {
    if (!(await isListening(port))) return false;
    await delay(25);
  }
  return true;
}

function rememberedPort(file: string): number | null {
  try {
    const port = Number(readFileSync(file, 'utf8').trim());
    return Number.isInteger(port) && port > 0 && port < 65_536 ? port : null;
  } catch {
    return null;
  }
}

const inUse = (port: number, what: string) => new Nl2codeError('port-in-use', `Port ${port}, wanted for ${what}, is used by another program.`);
