import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../rig/in-process.js';

test('a disk that is full after the start ends a run in one sentence, and no half session stays', { timeout: 60_000 }, () => {
  const cwd = mkdtempSync(join(tmpdir(), 'full-nl2code-'));
  try {
    const data = join(cwd, 'data');
    mkdirSync(data, { mode: 0o700 });
    mkdirSync(join(cwd, 'packs', 'rig', 'playbooks'), { recursive: true });
    writeFileSync(join(cwd, 'packs', 'rig', 'pack.yaml'), 'name: rig\n');
    writeFileSync(join(cwd, 'packs', 'rig', 'playbooks', 'count.codeact.yaml'), 'match: { words: [count] }\nturns: [{ name: plan, say: 1. Count., last: true }]\n');
    writeFileSync(join(cwd, 'big.csv'), 'a,b\n'.repeat(8 << 20));
    // Room for the server and its database, not for a copy of the input.
    const command = `"$0" "$1" run 'count the rows' --isolation none --input big.csv --json; code=$?; ls -A "$2/sessions"; exit $code`;
    const inside = ['/bin/sh', '-c', command, process.execPath, join(ROOT, 'dist', 'cli.js'), data];
    const { status, stdout, stderr } = spawnSync('bwrap', ['--dev-bind', '/', '/', '--size', String(16 << 20), '--tmpfs', data, '--', ...inside], { cwd, encoding: 'utf8', env: { ...process.env, HOME: cwd, NL2CODE_DATA_DIR: data } });
    expect({ status, stderr }).toEqual({ status: 1, stderr: '' });
    const message = expect.stringMatching(/^The input "big\.csv" could not be copied into .*: no space left\. Free space in the data directory\.$/) as string;
    expect(JSON.parse(stdout)).toEqual({ error: { code: 'store-full', message, retryable: true } });
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
});
