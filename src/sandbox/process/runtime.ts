import {
  accessSync,
  constants,
  existsSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { execFile } from 'node:child_process';
import { basename, delimiter, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { tooOld } from '../../config/oldest.js';
import { Nl2codeError } from '../../session/error-table.js';

/** Where the parts of a sandbox lie on this machine; every path absolute. */
export interface SandboxRuntime {
  /** Virtual environment that cells run in. */
  venv: string;
  python: string;
  /** Installations the environment is based on; bound at the same paths. */
  prefixes: string[];
  guestDir: string;
  /** null: bubblewrap is not installed. */
  bwrap: string | null;
  /** null: no filter for this architecture. */
  seccomp: string | null;
}

const FILTERS: Partial<Record<string, string>> = { x64: 'x86_64.bpf', arm64: 'aarch64.bpf' };

/** Finds the runtime. Throws `sandbox-unavailable` when set-up has not made the Python environment. */
export function resolveRuntime(options: {
  runtimeDir: string;
  guestDir: string;
  bwrap?: string | null;
}): SandboxRuntime {
  const venv = join(resolve(options.runtimeDir), 'python');
  const python = join(venv, 'bin', 'python3');
  if (!existsSync(python)) {
    throw new Nl2codeError('sandbox-unavailable', `There is no Python environment at ${venv}: run npm run setup.`, {
      remedy: '',
    });
  }
  const version = versionOf(venv);
  const old = version && tooOld('Python', version);
  if (old) {
    const sentence = `The Python environment at ${venv} can't be used, Python ${old} and run npm run setup.`;
    throw new Nl2codeError('sandbox-unavailable', sentence, { remedy: '' });
  }
  const guestDir = realpathSync(options.guestDir);
  const filter = FILTERS[process.arch];
  const seccomp = filter ? join(guestDir, 'seccomp', filter) : null;
  return {
    venv: realpathSync(venv),
    python,
    prefixes: basePrefixes(venv, python),
    guestDir,
    bwrap: options.bwrap === undefined ? findBubblewrap() : options.bwrap,
    seccomp,
  };
}

/** The version of the Python that an environment was made with, as was written down then; null where nothing was. */
function versionOf(venv: string): string | null {
  const written = readFileSync(join(venv, 'pyvenv.cfg'), 'utf8');
  return [/^version_info\s*=\s*(\d\S+)$/m, /^version\s*=\s*(\d\S+)$/m].map((line) => line.exec(written)?.[1]).find(Boolean) ?? null;
}

/** Every Python installation on the way from the environment's interpreter to the real file, as symbolic links lead there. */
function basePrefixes(venv: string, python: string): string[] {
  const found = new Set<string>();
  const add = (interpreter: string) => {
    const prefix = dirname(dirname(interpreter));
    if (basename(dirname(interpreter)) === 'bin' && prefix !== venv && isPythonPrefix(prefix)) found.add(prefix);
  };
  for (let hop = python, n = 0; n < 20; n++) {
    add(hop);
    try {
      hop = resolve(dirname(hop), readlinkSync(hop));
    } catch {
      break;
    }
  }
  add(realpathSync(python));
  const home = /^home\s*=\s*(.+)$/m.exec(readFileSync(join(venv, 'pyvenv.cfg'), 'utf8'))?.[1]?.trim();
  if (home) add(join(home, 'python3'));
  return [...found];
}

function isPythonPrefix(prefix: string): boolean {
  try {
    return readdirSync(join(prefix, 'lib')).some((name) => /^python3(\.\d+)?$/.test(name));
  } catch {
    return false;
  }
}

function findBubblewrap(): string | null {
  if (process.platform !== 'linux') return null;
  for (const folder of ['/usr/bin', '/usr/local/bin', '/bin', ...(process.env.PATH ?? '').split(delimiter)]) {
    const path = join(folder, 'bwrap');
    try {
      accessSync(path, constants.X_OK);
      return realpathSync(path);
    } catch {
      continue;
    }
  }
  return null;
}

/**
 * Compiles the guest to byte code where that is missing or old: a sandbox sees it read-only and would compile it at every
 * start. Does nothing where the folder can't be written.
 */
export async function compileGuest(runtime: SandboxRuntime): Promise<void> {
  const stale = ['nl2code_guest', 'nl2code_supervisor', 'nl2code_checks']
    .map((name) => join(runtime.guestDir, name))
    .filter((folder) => !isCompiled(folder));
  if (stale.length === 0) return;
  await promisify(execFile)(runtime.python, ['-s', '-P', '-m', 'compileall', '-q', ...stale], { cwd: '/' }).catch(
    () => undefined,
  );
}

function isCompiled(folder: string): boolean {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    const cache = join(folder, '__pycache__');
    const compiled = new Map(
      existsSync(cache)
        ? readdirSync(cache).map((name) => [name.split('.')[0], statSync(join(cache, name)).mtimeMs])
        : [],
    );
    return entries.every((entry) => {
      if (entry.isDirectory()) return entry.name === '__pycache__' || isCompiled(join(folder, entry.name));
      if (!entry.name.endsWith('.py')) return true;
      return (compiled.get(entry.name.slice(0, -3)) ?? 0) >= statSync(join(folder, entry.name)).mtimeMs;
    });
  } catch {
    return false;
  }
}
