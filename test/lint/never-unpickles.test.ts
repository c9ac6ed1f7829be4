import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Ways to make objects of a pickle or of marshalled code, in any language of the host. */
const LOADERS = /\b(c?pickle|_pickle|cloudpickle|dill|joblib|shelve|marshal)\b|\b(un|de)pickl|allow_pickle/i;
/** Modules of the guest that would do it in their name. */
const GUEST_LOADERS = /nl2code_guest[./]checkpoint|\b(read|load)_pickle\b/i;

function files(folder: string, ext: RegExp): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).filter((name) => ext.test(name)).map((name) => join(folder, name));
}

/** A file without its comments and docstrings. */
function code(file: string): string {
  const text = readFileSync(join(root, file), 'utf8');
  return file.endsWith('.py') ? text.replace(/"""[^]*?"""/g, '').replace(/(^|\s)#.*$/gm, '') : text.replace(/\/\*[^]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '');
}

/** What runs on the host: the worker, client and CLI, what they start outside of a sandbox, and set-up. */
const host = [...files('src', /\.ts$/), ...files('guest/nl2code_supervisor', /\.py$/), ...files('scripts', /\.(mjs|py)$/)];

it('nothing that runs on the host can unpickle what a sandbox wrote', () => {
  expect(host.length).toBeGreaterThan(200);
  for (const file of host) {
    expect(code(file).match(LOADERS)?.[0], file).toBeUndefined();
    expect(code(file).match(GUEST_LOADERS)?.[0], file).toBeUndefined();
  }
});

it('what is looked for is found where it is', () => {
  expect(code('guest/nl2code_guest/checkpoint/pickler.py')).toMatch(LOADERS);
});

it('and no package of the host reads pickles', () => {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as { packages: Record<string, unknown> };
  expect(Object.keys(packages).length).toBeGreaterThan(50);
  expect(Object.keys(packages).filter((name) => /pickle/i.test(name))).toEqual([]);
});
