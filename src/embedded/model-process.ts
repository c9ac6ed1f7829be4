import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { lastLine, openLog } from './child-log.js';
import { KeptProcess, type KeptProcessEvent } from './kept-process.js';
import { onLine } from './lines.js';
import { LOOPBACK } from './port.js';

const GRACE_MS = 2000;

/** The scripted model's process. It keeps its port over restarts, because workers were told it. */
export class ModelProcess {
  readonly process: KeptProcess;
  private port = 0;

  constructor(options: { entry: string; dataDir: string; packDirs: string[]; onEvent(event: KeptProcessEvent): void }) {
    const log = join(options.dataDir, 'logs', 'model.log');
    const playbooks = playbookFolders(options.packDirs).join(',');
    this.process = new KeptProcess({
      name: 'scripted model',
      launch: () => {
        const fd = openLog(log);
        try {
          // It ends when its standard input does, so also when we are killed.
          return spawn(process.execPath, [options.entry, '--port', String(this.port), '--playbooks', playbooks], { detached: true, stdio: ['pipe', 'pipe', fd] });
        } finally {
          closeSync(fd);
        }
      },
      ready: (child, signal) => this.listens(child, signal),
      lastWords: () => lastLine(log),
      graceMs: GRACE_MS,
      onEvent: options.onEvent,
    });
  }

  /** Base URL of its API, once started. */
  get url(): string {
    return `http://${LOOPBACK}:${this.port}/v1`;
  }

  private listens(child: ChildProcess, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      child.stdin!.on('error', () => undefined);
      onLine(child.stdout!, (line) => {
        const port = /^\{"port":(\d{1,5})\}$/.exec(line)?.[1];
        if (port === undefined) return;
        this.port = Number(port);
        resolve();
      });
    });
  }
}

/** The playbook folders of all packs, those of earlier pack folders first. */
function playbookFolders(packDirs: string[]): string[] {
  const packs = packDirs.filter((folder) => existsSync(folder)).flatMap((folder) => readdirSync(folder).sort().map((name) => join(folder, name)));
  return packs.map((pack) => join(pack, 'playbooks')).filter((folder) => existsSync(folder));
}
