import { posix } from 'node:path';
import type { OutputSpec } from '../session/request.js';
import { refusal, shown } from './refusal.js';
import { checkKeys } from './request-options.js';

const MAX_OUTPUTS = 100;
const MAX_CHARS = 1000;

/** The promised outputs, each a clean path below the workspace; `inputs` are the names that are taken there. Pure. */
export function resolveOutputs(given: unknown, inputs: readonly string[]): OutputSpec[] {
  if (!Array.isArray(given)) throw refusal(`outputs is ${shown(given)}: give a list of paths.`);
  if (given.length > MAX_OUTPUTS) throw refusal(`The request promises ${given.length} outputs: name at most ${MAX_OUTPUTS}.`);
  const paths: string[] = [];
  for (const item of given) {
    if (typeof item !== 'string') checkKeys(item, 'An output', ['path']);
    const path = cleanPath(typeof item === 'string' ? item : (item as { path: unknown }).path);
    if (paths.includes(path)) throw refusal(`The output ${shown(path)} is named twice: name it once.`);
    const folder = paths.find((other) => other.startsWith(`${path}/`) || path.startsWith(`${other}/`));
    if (folder !== undefined) throw refusal(`The outputs ${shown(folder)} and ${shown(path)} can't both exist, one is a folder of the other: rename one.`);
    if (inputs.includes(path.split('/')[0]!)) throw refusal(`The output ${shown(path)} has the name of an input, and inputs are read-only: choose another name.`);
    paths.push(path);
  }
  return paths.map((path) => ({ path }));
}

function cleanPath(given: unknown): string {
  if (typeof given !== 'string' || !given.trim()) throw refusal(`An output path is ${shown(given)}: name a file such as "result.csv".`);
  if (given.includes('\0') || given.length > MAX_CHARS) throw refusal(`The output path ${shown(given)} is no usable file name: choose one of at most ${MAX_CHARS} characters without a NUL.`);
  if (posix.isAbsolute(given)) throw refusal(`The output path ${shown(given)} is absolute: give one relative to the script's folder, such as ${shown(posix.basename(given) || 'result.csv')}.`);
  if (given.split('/').includes('..')) throw refusal(`The output path ${shown(given)} leaves the script's folder by "..": give one below it.`);
  const path = posix.normalize(given);
  if (path === '.' || path.endsWith('/')) throw refusal(`The output path ${shown(given)} is a folder: name a file in it.`);
  return path;
}
