import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('./effects-main.mjs', import.meta.url));

/** The outside world as a process, started again whenever it dies. */
export class Effects {
  private child: ChildProcess | undefined;
  private port = 0;
  private stopped = false;

  constructor(private readonly file: string) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    this.port ||= await freePort();
    const child = spawn(process.execPath, [MAIN, this.file, String(this.port)], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.child = child;
    child.once('exit', () => !this.stopped && this.child === child && void this.start());
    await once(child.stdout!, 'data');
  }

  /** `kill -9`; back when it answers again. */
  async restart(): Promise<void> {
    const child = this.child!;
    this.child = undefined;
    child.kill('SIGKILL');
    await once(child, 'exit');
    await this.start();
  }

  /** The next new effect is done and not answered. Returns the path that is gone when it has happened. */
  arm(): string {
    const path = `${this.file}.die-before-answer`;
    writeFileSync(path, '');
    return path;
  }

  /** What a session has done outside, in order. */
  of(session: string): string[] {
    return this.all().filter((effect) => effect.session === session).map(({ text }) => text);
  }

  private all(): { session: string; text: string }[] {
    let text = '';
    try {
      text = readFileSync(this.file, 'utf8');
    } catch {
      // Nothing has happened yet.
    }
    return text.split('\n').filter((line) => line.endsWith('}')).map((line) => JSON.parse(line) as { session: string; text: string });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
