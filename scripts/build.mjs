#!/usr/bin/env node
/**
 * Compiles `src` to `dist` and prebuilds the workflow bundle. Does nothing when nothing changed. `--check` only says whether
 * `dist` is current, by exit code.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { withSetupLock } from './setup/lock.mjs';

/** Whether `dist` was completely built from what is in `src` now, with the SDK that is installed now. */
export function isBuilt(root) {
  try {
    return readFileSync(markerOf(root), 'utf8') === fingerprint(root);
  } catch {
    return false;
  }
}

/** Builds unless `dist` is current, one build at a time. Returns null, or a sentence that says what is wrong, after the compiler's own words. */
export function buildOnce(root) {
  return withSetupLock(join(root, 'dist'), () => undefined, async () => (isBuilt(root) ? null : build(root)));
}

async function build(root) {
  const built = fingerprint(root);
  rmSync(markerOf(root), { force: true });
  const require = createRequire(join(root, 'package.json'));
  const compiler = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
  const fresh = join(root, 'dist.next');
  rmSync(fresh, { recursive: true, force: true });
  try {
    const { status } = spawnSync(process.execPath, [compiler, '-p', root, '--outDir', fresh], { stdio: 'inherit', cwd: root });
    if (status !== 0) return 'src does not compile: correct what the compiler names above and run this again.';
    replace(fresh, join(root, 'dist'));
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  await bundle(root, require);
  if (existsSync(join(root, 'dist/cli.js'))) chmodSync(join(root, 'dist/cli.js'), 0o755);
  // Written last: an interrupted build has none. Sources that changed meanwhile make it differ.
  writeFileSync(markerOf(root), built);
  return null;
}

/** The bundler runs in webpack for seconds, so it is skipped when the compiled workflow and the SDK are as they were. */
async function bundle(root, require) {
  const workflowsPath = join(root, 'dist/workflows/nl2code.js');
  if (!existsSync(workflowsPath)) return;
  const target = join(root, 'dist/workflow-bundle.js');
  const note = `${target}.inputs`;
  const inputs = hashOf(root, ['dist/workflows', 'dist/session', 'dist/strategies'], '.js', sdkVersion(root));
  if (existsSync(target) && existsSync(note) && readFileSync(note, 'utf8') === inputs) return;
  const { bundleWorkflowCode } = require('@temporalio/worker');
  const quiet = { log() {}, trace() {}, debug() {}, info() {}, warn: console.warn, error: console.error };
  const { code } = await bundleWorkflowCode({ workflowsPath, logger: quiet });
  writeFileSync(`${target}.tmp`, code);
  renameSync(`${target}.tmp`, target);
  writeFileSync(note, inputs);
}

/**
 * Makes `dist` equal to what was compiled: changed files by rename, so that processes which start meanwhile find each file whole;
 * equal ones stay; those whose source is gone go.
 */
function replace(fresh, dist) {
  const files = (folder) => (existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => relative(folder, join(entry.parentPath, entry.name))) : []);
  const compiled = new Set(files(fresh));
  for (const file of compiled) {
    const [from, to] = [join(fresh, file), join(dist, file)];
    if (existsSync(to) && readFileSync(to).equals(readFileSync(from))) continue;
    mkdirSync(dirname(to), { recursive: true });
    renameSync(from, to);
  }
  for (const file of files(dist)) if (!compiled.has(file) && /\.(d\.ts|js|js\.map)$/.test(file) && !file.startsWith('workflow-bundle.')) rmSync(join(dist, file));
}

const markerOf = (root) => join(root, 'dist', '.built');
const fingerprint = (root) => hashOf(root, ['src'], '.ts', sdkVersion(root), readFileSync(join(root, 'tsconfig.json'), 'utf8'));

function hashOf(root, folders, ending, ...more) {
  const hash = createHash('sha256').update(more.join('\n'));
  for (const folder of folders) {
    if (!existsSync(join(root, folder))) continue;
    const names = readdirSync(join(root, folder), { recursive: true }).filter((name) => name.endsWith(ending)).sort();
    for (const name of names) hash.update(`\n${name}\n`).update(readFileSync(join(root, folder, name)));
  }
  return hash.digest('hex');
}

function sdkVersion(root) {
  try {
    return JSON.parse(readFileSync(join(root, 'node_modules/@temporalio/worker/package.json'), 'utf8')).version;
  } catch {
    return 'none';
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
  const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
  if (process.argv.includes('--check')) process.exit(isBuilt(root) ? 0 : 1);
  const problem = await buildOnce(root);
  if (problem !== null) console.error(problem);
  process.exitCode = problem === null ? 0 : 1;
}
