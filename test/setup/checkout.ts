import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** A small checkout with the real set-up scripts and a list of one small package, so that real installations take seconds. */
export class Checkout {
  readonly folder = mkdtempSync(join(tmpdir(), 'nl2code-setup-'));
  readonly runtime = join(this.folder, '.runtime');
  private readonly children: ChildProcess[] = [];

  constructor() {
    cpSync(join(root, 'scripts'), join(this.folder, 'scripts'), { recursive: true });
    mkdirSync(join(this.folder, 'guest/requirements'), { recursive: true });
    this.list(['threadpoolctl==3.8.0']);
    this.program('tools/temporal', temporal('1.29'));
  }

  /** The packages of its sandbox Python. */
  list(packages: string[]): void {
    writeFileSync(join(this.folder, 'guest/requirements/runtime.txt'), `${packages.join('\n')}\n`);
  }

  /** A shell script that stands in for a program. */
  program(path: string, script: string): string {
    const file = join(this.folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, 0o755);
    return file;
  }

  /** Starts set-up. `path`: folders of PATH, those of the checkout relative; the system's follow. */
  start(options: { path?: string[]; bare?: boolean; env?: NodeJS.ProcessEnv; args?: string[]; node?: string[] } = {}): ChildProcess {
    const path = [...(options.path ?? ['tools']).map((each) => join(this.folder, each)), ...(options.bare ? [] : [dirname(process.execPath), '/usr/bin', '/bin'])];
    const env = { ...process.env, PATH: path.join(delimiter), TEMPORAL_CLI_PATH: '', ...options.env };
    const child = spawn(process.execPath, [...(options.node ?? []), join(this.folder, 'scripts/setup.mjs'), ...(options.args ?? [])], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.children.push(child);
    return child;
  }

  run(options: Parameters<Checkout['start']>[0] = {}): Promise<{ code: number | null; out: string; err: string; ms: number }> {
    return outcome(this.start(options));
  }

  read(path: string): string {
    return readFileSync(join(this.folder, path), 'utf8');
  }

  close(): void {
    for (const child of this.children) child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function outcome(child: ChildProcess): Promise<{ code: number | null; out: string; err: string; ms: number }> {
  const started = performance.now();
  let out = '';
  let err = '';
  child.stdout!.on('data', (data: Buffer) => (out += data.toString()));
  child.stderr!.on('data', (data: Buffer) => (err += data.toString()));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err, ms: performance.now() - started })));
}

/** Stands in for the Temporal CLI of that server version. */
export const temporal = (version: string) => `echo "temporal version 1.0.0 (Server ${version}.1, UI 2.0.0)"`;

/** Stands in for a Python of that version. */
export const python = (version: number[]) => `echo '{"file": "'"$0"'", "prefix": "/", "version": ${JSON.stringify(version)}}'`;

/** Nothing can be downloaded: every way out leads to a closed port of this machine. */
export const offline = { HTTPS_PROXY: 'http://127.0.0.1:9', https_proxy: 'http://127.0.0.1:9', HTTP_PROXY: 'http://127.0.0.1:9', PIP_RETRIES: '0', PIP_NO_INDEX: '1', PIP_FIND_LINKS: '', NO_PROXY: '', no_proxy: '' };
