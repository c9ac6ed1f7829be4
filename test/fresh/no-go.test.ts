import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Everything for real, from the registries: minutes of installing and building. */
describe('a fresh clone on a machine with Node, Python and the package registries alone', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nl2code-fresh-'));
  const clone = join(folder, 'clone');
  const system = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'].join(':');
  const setUp = () => spawnSync(process.execPath, ['scripts/setup.mjs'], { cwd: clone, env: { ...process.env, PATH: `${dirname(process.execPath)}:${system}`, TEMPORAL_CLI_PATH: '' }, encoding: 'utf8' });

  beforeAll(() => {
    execFileSync('git', ['clone', '--quiet', root, clone]);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('has no Go and no Temporal, sets itself up, and has nothing left to do the second time', () => {
    for (const name of ['go', 'temporal']) expect(spawnSync('/bin/sh', ['-c', `command -v ${name}`], { env: { PATH: system } }).status, name).not.toBe(0);
    const first = setUp();
    process.stdout.write(first.stdout);
    expect(first.stderr).toBe('');
    expect(first.status).toBe(0);
    const started = performance.now();
    expect(setUp().stdout).toMatch(/^setup {2}node ✓ {2}packages ✓ {2}python 3\.\d+ ✓ {2}temporal 1\.29 ✓ {2}build ✓ {2}\d\.\d s\n$/);
    expect(performance.now() - started).toBeLessThan(2000);
    expect(execFileSync(join(clone, '.runtime/python/bin/python3'), ['-c', 'import pandas, pyarrow, sklearn, matplotlib; print(pandas.__version__)'], { encoding: 'utf8' })).toMatch(/^3\./);
    expect(execFileSync('git', ['status', '--porcelain'], { cwd: clone, encoding: 'utf8' })).toBe('');
  });
});
