import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { findOnPath, run } from './command.mjs';
import { SetupProblem } from './problem.mjs';

/** Variables that would send packages elsewhere than asked. The user's index, proxy and certificates stay. */
export const cleanEnvironment = { PYTHONPATH: undefined, PYTHONHOME: undefined, VIRTUAL_ENV: undefined, PIP_TARGET: undefined, PIP_PREFIX: undefined, PIP_USER: undefined, PIP_REQUIRE_VIRTUALENV: undefined };

/**
 * A pip command line that can install into `python`, an environment made without pip. Distributions ship Python without pip
 * and without `ensurepip`, so it is looked for in order: the interpreter's own, the one it carries for new environments,
 * another interpreter's, Debian's wheel (unpacked into `scratch`, nothing is installed).
 */
export async function findPip({ python, chosen, all, scratch }) {
  for await (const command of candidates({ chosen, all, scratch })) {
    const [program, ...args] = command;
    const { code } = await run(program, [...args, '--python', python, 'list', '--format', 'json'], { env: cleanEnvironment, timeoutMs: 60_000 });
    if (code === 0) return command;
  }
  throw new SetupProblem(`${chosen.file} has no pip 22.3 or newer and none was found elsewhere: install pip for it (Debian and Ubuntu: apt-get install python3-venv) and run this again.`);
}

async function* candidates({ chosen, all, scratch }) {
  yield [chosen.file, '-m', 'pip'];
  const carried = join(scratch, 'pip');
  const made = await run(chosen.file, ['-I', '-m', 'venv', carried], { env: cleanEnvironment });
  if (made.code === 0) yield [join(carried, 'bin', 'python3'), '-m', 'pip'];
  for (const other of all) if (other.file !== chosen.file) yield [other.file, '-m', 'pip'];
  const wheel = await debianWheel(scratch);
  if (wheel !== null) yield [chosen.file, join(wheel, 'pip')];
}

async function debianWheel(scratch) {
  if (findOnPath('apt-get') === null || findOnPath('dpkg-deb') === null) return null;
  const folder = join(scratch, 'debian');
  mkdirSync(folder, { recursive: true });
  const download = () => run('apt-get', ['download', 'python3-pip-whl'], { cwd: folder });
  if ((await download()).code !== 0) {
    if (process.getuid?.() !== 0) return null;
    await run('apt-get', ['update']);
    if ((await download()).code !== 0) return null;
  }
  const archive = readdirSync(folder).find((name) => name.endsWith('.deb'));
  if (archive === undefined || (await run('dpkg-deb', ['-x', archive, 'unpacked'], { cwd: folder })).code !== 0) return null;
  const wheels = join(folder, 'unpacked', 'usr', 'share', 'python-wheels');
  const wheel = readdirSync(wheels).find((name) => name.startsWith('pip-'));
  return wheel === undefined ? null : join(wheels, wheel);
}
