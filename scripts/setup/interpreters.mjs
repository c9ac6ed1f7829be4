import { realpathSync, statSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { isExecutable, run } from './command.mjs';
import { SetupProblem } from './problem.mjs';

const oldest = [3, 11];
const names = ['python3', 'python3.14', 'python3.13', 'python3.12', 'python3.11', 'python'];
const probe = 'import json,sys;print(json.dumps({"file":sys.executable,"prefix":sys.base_prefix,"version":list(sys.version_info[:3])}))';

/** Every interpreter on PATH, once each: `{ file, prefix, version, reachable }`. */
export async function findInterpreters(path = process.env.PATH ?? '') {
  const files = [];
  for (const folder of path.split(delimiter)) {
    for (const name of names) if (folder !== '' && isExecutable(join(folder, name))) files.push(join(folder, name));
  }
  const found = new Map();
  for (const file of files) {
    const interpreter = await probeInterpreter(file);
    if (interpreter !== null && !found.has(interpreter.file)) found.set(interpreter.file, interpreter);
  }
  return [...found.values()];
}

/** One interpreter, or null when the file is none. Follows version managers' shims to the interpreter itself. */
async function probeInterpreter(file) {
  const { code, stdout } = await run(file, ['-I', '-c', probe], { timeoutMs: 20_000 });
  try {
    if (code !== 0) return null;
    const { file: own, prefix, version } = JSON.parse(stdout);
    const real = realpathSync(own);
    return { file: real, prefix, version, reachable: everybodyMayEnter(real) && everybodyMayEnter(prefix) };
  } catch {
    return null;
  }
}

/**
 * The interpreter that sandboxes get: new enough and, when root drops to another user for the sandbox, one that this user can
 * reach (an interpreter under /root cannot be). `NL2CODE_PYTHON` decides when set.
 */
export async function chooseInterpreter() {
  const wanted = process.env.NL2CODE_PYTHON;
  if (wanted !== undefined && wanted !== '') {
    const interpreter = await probeInterpreter(wanted);
    if (interpreter === null) throw new SetupProblem(`NL2CODE_PYTHON names ${wanted}, which is no Python interpreter: name one of Python ${oldest.join('.')} or newer.`);
    if (!isNewEnough(interpreter)) throw tooOld([interpreter]);
    return { chosen: interpreter, all: [interpreter, ...(await findInterpreters())] };
  }
  const all = await findInterpreters();
  const usable = all.filter(isNewEnough);
  if (usable.length === 0) throw all.length === 0 ? none() : tooOld(all);
  const isRoot = process.getuid?.() === 0;
  const chosen = (isRoot ? usable.find((each) => each.reachable) : undefined) ?? usable[0];
  return { chosen, all };
}

const isNewEnough = ({ version: [major, minor] }) => major > oldest[0] || (major === oldest[0] && minor >= oldest[1]);

const none = () => new SetupProblem(`No Python was found on PATH: install Python ${oldest.join('.')} or newer and run this again, or name it in NL2CODE_PYTHON.`);

function tooOld(interpreters) {
  const list = interpreters.map((each) => `${each.version.join('.')} at ${each.file}`).join(', ');
  return new SetupProblem(`Python ${list} is too old: install Python ${oldest.join('.')} or newer and run this again, or name it in NL2CODE_PYTHON.`);
}

/** Whether users other than its owner can get to a file or folder. */
function everybodyMayEnter(path) {
  try {
    for (let at = path; ; at = dirname(at)) {
      if ((statSync(at).mode & 0o001) === 0) return false;
      if (dirname(at) === at) return true;
    }
  } catch {
    return false;
  }
}
