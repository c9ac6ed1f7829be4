import { existsSync, readFileSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { Nl2codeError } from '../session/error-table.js';

export const CONFIG_FILE = 'nl2code.config.yaml';

/** The configuration file that counts for `cwd`: the first one from there up to the home folder; outside it only the one in `cwd`, because parents such as /tmp belong to others. */
export function findConfigFile(cwd: string, home: string | null): string | null {
  const inHome = home !== null && !relative(home, cwd).startsWith('..') && !isAbsolute(relative(home, cwd));
  for (let folder = cwd; ; folder = dirname(folder)) {
    const path = join(folder, CONFIG_FILE);
    if (existsSync(path)) return path;
    if (!inHome || folder === home || folder === dirname(folder)) return null;
  }
}

/** Reads a configuration file as plain data. An empty file is no options. Throws `bad-request` when it can't be read or is not YAML. */
export function readConfigFile(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Nl2codeError('bad-request', `The configuration file ${path} can't be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'}): name another with --config.`, { cause: error, remedy: '' });
  }
  const document = parseDocument(text, { prettyErrors: true });
  const problem = document.errors[0];
  if (problem) throw new Nl2codeError('bad-request', `The configuration file ${path} is not valid YAML: ${problem.message.split('\n')[0]!.replace(/:$/, '')}; correct that line.`, { remedy: '' });
  return (document.toJS({ maxAliasCount: 50 }) as unknown) ?? {};
}

/** A path of a configuration file: relative to the file's folder, `~/` is the home folder. */
export function configPath(value: string, folder: string, home: string | null): string {
  if (home !== null && (value === '~' || value.startsWith('~/'))) return join(home, value.slice(1));
  return resolve(folder, value);
}
