import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The first executable file of that name on PATH, or null. */
export function findOnPath(name, path = process.env.PATH ?? '') {
  for (const folder of path.split(delimiter)) {
    const file = join(folder, name);
    if (folder !== '' && isExecutable(file)) return file;
  }
  return null;
}

/** Whether this user may run that file. */
export function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** On Linux a killed set-up takes its child along, so that it does not go on writing beside the next set-up. */
const setpriv = process.platform === 'linux' ? findOnPath('setpriv') : null;
const tied = setpriv === null ? [] : [setpriv, '--pdeathsig', 'KILL', '--'];

/**
 * Runs a program to its end and collects what it prints. Never throws: `code` is null when it could not be started or was
 * killed; `tail` is the line that says what went wrong.
 */
export function run(command, args, { cwd, env = {}, timeoutMs } = {}) {
  const [program, ...rest] = [...tied, command, ...args];
  const merged = { ...process.env, ...env };
  for (const [name, value] of Object.entries(merged)) if (value === undefined) delete merged[name];
  return new Promise((resolve) => {
    const child = spawn(program, rest, { cwd, env: merged, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let output = '';
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
      output = (output + text).slice(-65536);
    });
    child.stderr.setEncoding('utf8').on('data', (text) => (output = (output + text).slice(-65536)));
    const finish = (code, error) => {
      clearTimeout(timer);
      resolve({ code, stdout, output, tail: error ?? tellingLine(output) });
    };
    child.on('error', (error) => finish(null, error.message));
    child.on('close', (code) => finish(code));
  });
}

function tellingLine(output) {
  const lines = output.split('\n').map((line) => line.trim()).filter((line) => line !== '');
  // npm says what is wrong first and how to use it last; others the other way round.
  const npm = lines.find((line) => /^npm error (?!code |errno |syscall )\S/.test(line));
  const errors = lines.filter((line) => /^(error|fatal|go: )/i.test(line));
  return (npm?.replace('npm error ', '') ?? errors.at(-1) ?? lines.at(-1) ?? 'it printed nothing').slice(0, 300);
}
