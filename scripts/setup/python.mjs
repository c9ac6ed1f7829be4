import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.mjs';
import { chooseInterpreter } from './interpreters.mjs';
import { cleanEnvironment, findPip } from './pip.mjs';
import { SetupProblem } from './problem.mjs';

/** The Python that sandboxes run: an environment of its own with the packages of `guest/requirements/runtime.txt`. */
export function sandboxPython({ root, runtimeDir }) {
  return environment({ name: 'python', folder: join(runtimeDir, 'python'), list: join(root, 'guest/requirements/runtime.txt') });
}

/** What checks the guest's code: the packages of `dev.txt`, seeing those of the sandbox's Python, which stays without them. */
export function checkingPython({ root, runtimeDir }) {
  return environment({ name: 'python-dev', folder: join(runtimeDir, 'python-dev'), list: join(root, 'guest/requirements/dev.txt'), beside: join(runtimeDir, 'python') });
}

/** What reads a script's calls before it runs, and the libraries' types: folders of the sandbox's Python, off its path. */
export function callChecks({ root, runtimeDir }) {
  const folder = join(runtimeDir, 'python');
  const list = join(root, 'guest/requirements/checks.txt');
  const marker = join(folder, 'checks', '.complete');
  const fingerprint = () => createHash('sha256').update(`1\n${readFileSync(list, 'utf8')}${readFileSync(join(root, 'guest/requirements/runtime.txt'), 'utf8')}`).digest('hex');
  return {
    name: 'checks',
    check: async () => (!existsSync(list) ? '' : existsSync(marker) && readFileSync(marker, 'utf8') === fingerprint() ? 'checks' : null),
    install: async (report) => {
      report.working('checks', 'packages of guest/requirements/checks.txt, and the types of the libraries');
      const { chosen, all } = await chosenFor(folder);
      const python = join(folder, 'bin', 'python3');
      const target = join(folder, 'checks');
      rmSync(target, { recursive: true, force: true });
      await installPackages({ chosen, all, folder, list, target });
      await run(python, ['-I', '-m', 'compileall', '-q', '-j', '0', target]);
      const ahead = await run(python, ['-s', '-P', '-m', 'nl2code_checks.library_types'], { cwd: folder, env: { ...cleanEnvironment, PYTHONPATH: join(root, 'guest'), PYTHONDONTWRITEBYTECODE: '1' } });
      if (ahead.code !== 0) throw new SetupProblem(`The types of the Python packages could not be read (${ahead.tail}): run this again.`);
      writeFileSync(marker, fingerprint());
      return 'checks';
    },
  };
}

/** Written last, so an interrupted installation has none and is done again from the start. */
const markerOf = (folder) => join(folder, '.complete');

function environment({ name, folder, list, beside }) {
  const fingerprint = () => createHash('sha256').update(`1\n${beside ?? ''}\n${readFileSync(list, 'utf8')}`).digest('hex');
  return {
    name,
    check: async () => {
      const marker = readMarker(folder);
      if (marker === null || marker.fingerprint !== fingerprint() || !existsSync(marker.base)) return null;
      // After an upgrade of the system its interpreter may look for packages in another folder.
      const { code, stdout } = await run(join(folder, 'bin', 'python3'), ['-I', '-c', 'import sys;print(*sys.version_info[:2],sep=".")']);
      return code === 0 && stdout.trim() === short(marker.version) ? label(name, marker.version) : null;
    },
    foresee: async () => void (await chooseInterpreter()),
    install: async (report) => {
      const { chosen, all } = await chosenFor(beside);
      report.working(name, `${chosen.file} (${chosen.version.join('.')}), packages of ${list.split('/').slice(-3).join('/')}`);
      if (!chosen.reachable && process.getuid?.() === 0) report.note(name, `${chosen.file} lies where only root may enter; sandboxes that drop root need one that everybody can reach`);
      await install({ chosen, all, folder, list, beside });
      writeFileSync(markerOf(folder), `${JSON.stringify({ fingerprint: fingerprint(), base: chosen.file, version: chosen.version })}\n`);
      return label(name, chosen.version);
    },
  };
}

async function chosenFor(beside) {
  const { chosen, all } = await chooseInterpreter();
  const runtime = beside === undefined ? null : readMarker(beside);
  if (runtime === null) return { chosen, all };
  return { chosen: { file: runtime.base, version: runtime.version, reachable: true }, all };
}

async function install({ chosen, all, folder, list, beside }) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, '..'), { recursive: true });
  const made = await run(chosen.file, ['-I', '-m', 'venv', '--without-pip', folder], { env: cleanEnvironment });
  if (made.code !== 0) throw new SetupProblem(`${chosen.file} could not make an environment (${made.tail}): install its venv module (Debian and Ubuntu: apt-get install python3-venv) and run this again.`);
  const python = join(folder, 'bin', 'python3');
  await installPackages({ chosen, all, folder, list });
  const packages = sitePackages(folder);
  if (beside !== undefined) writeFileSync(join(packages, 'beside.pth'), `${sitePackages(beside)}\n`);
  // Sandboxes see this folder read-only and could not keep what they compile. Some packages carry test files that do not compile.
  await run(python, ['-I', '-m', 'compileall', '-q', '-j', '0', '-x', '[/\\\\]tests?[/\\\\]', packages]);
}

/** Installs a list into an environment, or beside its packages into the folder `target`. */
async function installPackages({ chosen, all, folder, list, target }) {
  const python = join(folder, 'bin', 'python3');
  const scratch = mkdtempSync(join(folder, '..', 'tmp-pip-'));
  try {
    const [pip, ...args] = await findPip({ python, chosen, all, scratch });
    const options = ['--no-deps', '--no-compile', '--only-binary', ':all:', '--disable-pip-version-check', '--no-input', ...(target === undefined ? ['--no-user'] : ['--target', target])];
    const result = await run(pip, [...args, '--python', python, 'install', ...options, '-r', list], { env: cleanEnvironment });
    if (result.code !== 0) throw new SetupProblem(`The Python packages could not be installed (${result.tail}): check the network and the index in your pip configuration, then run this again.`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function sitePackages(folder) {
  const lib = join(folder, 'lib');
  return join(lib, readdirSync(lib).find((name) => name.startsWith('python3')), 'site-packages');
}

function readMarker(folder) {
  try {
    return JSON.parse(readFileSync(markerOf(folder), 'utf8'));
  } catch {
    return null;
  }
}

const short = (version) => version.slice(0, 2).join('.');
const label = (name, version) => `${name} ${short(version)}`;
