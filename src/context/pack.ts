import { readFile, readdir, realpath, stat } from 'node:fs/promises';
import { dirname, basename, join, sep } from 'node:path';
import { parseDocument } from 'yaml';
import { Nl2codeError } from '../session/error-table.js';
import { PackFolderError, folderDigest, insideFolder } from './pack-folder.js';
import { PACK_NAME, packProblem, packSchema, type PackFile } from './pack-schema.js';

const PACK_FILE = 'pack.yaml';
const MAX_PACK_FILE_BYTES = 1 << 20;

/** A check of the final script's outputs that applies when all of `whenOutputs` are promised. */
export interface PackCheck {
  id: string;
  title: string;
  /** Python file, relative to the pack's folder. It has `run(ctx)`; see the pack's own `checks/`. */
  module: string;
  whenOutputs: string[];
  truth: 'optional' | 'required' | 'none';
}

/** A file the pack knows, with the columns it must have. */
export interface PackOutput {
  path: string;
  description: string;
  key: string | null;
  columns: { name: string; type: string; description: string }[];
}

/** A context pack as loaded: operator's text, checked in shape and bounded in size. */
export interface Pack {
  name: string;
  title: string;
  description: string;
  /** Absolute real path. Only `libraryFolder` may be shown to generated code. */
  folder: string;
  /** sha256 over its files; equal files give equal digests. */
  digest: string;
  conventions: string[];
  data: { name: string; description: string }[];
  outputs: PackOutput[];
  libraries: { name: string; /** Absolute real path of the package. */ folder: string; /** Hand-written API text. */ api: string }[];
  /** Absolute folder that holds the libraries and nothing else, for `PYTHONPATH`; null without libraries. */
  libraryFolder: string | null;
  checks: PackCheck[];
}

/**
 * The packs in these folders, by name; the first folder that has a name wins. Worker and client side.
 * A folder that is not there holds none.
 */
export async function listPacks(packDirs: readonly string[]): Promise<{ name: string; folder: string }[]> {
  const found = new Map<string, string>();
  for (const dir of packDirs) {
    for (const name of await readdir(dir).catch(() => [])) {
      const folder = join(dir, name);
      if (PACK_NAME.test(name) && !found.has(name) && (await isFile(join(folder, PACK_FILE)))) found.set(name, folder);
    }
  }
  return [...found].map(([name, folder]) => ({ name, folder })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * Reads a pack by name. Worker and client side.
 * Throws `bad-request`: unknown (lists the known), or malformed (names file and field).
 */
export async function loadPack(name: string, packDirs: readonly string[]): Promise<Pack> {
  const known = await listPacks(packDirs);
  const entry = known.find((pack) => pack.name === name);
  if (!entry) {
    const names = known.map((pack) => pack.name).join(', ');
    const there = names ? `the packs here are ${names}` : `no pack stands in ${packDirs.join(', ') || 'any folder'}`;
    throw new Nl2codeError('bad-request', `There is no pack ${JSON.stringify(name.slice(0, 80))}: ${there}.`);
  }
  const folder = await realpath(entry.folder);
  try {
    const digest = await folderDigest(folder);
    const file = await readPackFile(join(folder, PACK_FILE));
    if (file.name !== name) {
      throw new PackFolderError(`name must be ${JSON.stringify(name)}, the name of its folder, not ${JSON.stringify(file.name)}`);
    }
    const libraries: Pack['libraries'] = [];
    for (const [i, library] of file.libraries.entries()) libraries.push(await locate(folder, `libraries[${i}].path`, library));
    for (const [i, check] of file.checks.entries()) await locateCheck(folder, `checks[${i}].module`, check.module, libraries);
    return {
      name,
      title: file.title,
      description: file.description,
      folder,
      digest,
      conventions: file.conventions,
      data: file.data,
      outputs: file.outputs.map((output) => ({ ...output, key: output.key ?? null })),
      libraries,
      libraryFolder: libraries[0] ? dirname(libraries[0].folder) : null,
      checks: file.checks.map(({ when, ...check }) => ({ ...check, whenOutputs: when.outputs })),
    };
  } catch (cause) {
    if (!(cause instanceof PackFolderError)) throw cause;
    const what = `Pack ${JSON.stringify(name)} can't be used: in ${join(entry.folder, PACK_FILE)}, ${cause.message}.`;
    throw new Nl2codeError('bad-request', what, { cause, remedy: 'Correct the pack and send the request again.' });
  }
}

/** The checks that apply to a request or script that promises these outputs (paths relative to the workspace). Pure. */
export function applicableChecks(pack: Pack, outputs: readonly string[]): PackCheck[] {
  const promised = new Set(outputs.map(plainPath));
  return pack.checks.filter((check) => check.whenOutputs.every((path) => promised.has(path)));
}

/** A workspace path without a leading `./`. Pure. */
export function plainPath(path: string): string {
  return path.replace(/^(\.\/+)+/, '');
}

async function readPackFile(path: string): Promise<PackFile> {
  if ((await stat(path)).size > MAX_PACK_FILE_BYTES) throw new PackFolderError(`there are more than ${MAX_PACK_FILE_BYTES} bytes`);
  const document = parseDocument(await readFile(path, 'utf8'), { prettyErrors: false });
  const broken = document.errors[0];
  if (broken) throw new PackFolderError(`the text is not YAML (${broken.message.split('\n')[0]} at character ${broken.pos[0]})`);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw new PackFolderError(`the text is not usable YAML (${(cause as Error).message})`);
  }
  const parsed = packSchema.safeParse(value);
  if (!parsed.success) throw new PackFolderError(packProblem(parsed.error, value));
  return consistent(parsed.data);
}

function consistent(file: PackFile): PackFile {
  for (const [field, names] of [
    ['data', file.data.map((entry) => entry.name)],
    ['outputs', file.outputs.map((entry) => entry.path)],
    ['libraries', file.libraries.map((entry) => entry.name)],
    ['checks', file.checks.map((entry) => entry.id)],
  ] as const) {
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) throw new PackFolderError(`${field} names ${JSON.stringify(twice)} twice`);
  }
  const parents = new Set(file.libraries.map((library) => dirname(library.path)));
  file.libraries.forEach(({ name, path }, i) => {
    if (basename(path) === name && dirname(path) !== '.') return;
    const like = `must end in /${name}, in a folder of libraries like lib/${name}, not ${JSON.stringify(path)}`;
    throw new PackFolderError(`libraries[${i}].path ${like}`);
  });
  if (parents.size > 1) throw new PackFolderError(`all libraries must stand in one folder, not in ${[...parents].join(' and ')}`);
  return file;
}

async function locate(root: string, field: string, { name, path, api }: PackFile['libraries'][number]): Promise<Pack['libraries'][number]> {
  const folder = await existing(root, field, path);
  if (folder !== join(root, path)) throw new PackFolderError(`${field} must be a folder, not a link (${path})`);
  if (!(await isFile(join(folder, '__init__.py')))) {
    throw new PackFolderError(`${field} must be a Python package with an __init__.py, not ${JSON.stringify(path)}`);
  }
  return { name, folder, api };
}

async function locateCheck(root: string, field: string, module: string, libraries: Pack['libraries']): Promise<void> {
  const file = await existing(root, field, module);
  if (!(await isFile(file))) throw new PackFolderError(`${field} must be a file, not ${JSON.stringify(module)}`);
  const visible = libraries[0] && dirname(libraries[0].folder);
  if (visible && file.startsWith(visible + sep)) {
    throw new PackFolderError(`${field} must stand outside the folder of the libraries, which generated code can read (${module})`);
  }
}

async function existing(root: string, field: string, path: string): Promise<string> {
  try {
    return await insideFolder(root, join(root, path));
  } catch (cause) {
    throw cause instanceof PackFolderError ? new PackFolderError(`${field}: ${cause.message}`) : cause;
  }
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isFile() ?? false;
}
