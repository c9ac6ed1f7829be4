import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { prepareDataDir } from '../../src/embedded/data-dir.js';

const compiled = new URL('../../dist/embedded/data-dir.js', import.meta.url).href;
const script = (dataDir: string) => `import(${JSON.stringify(compiled)}).then((m) => m.prepareDataDir(${JSON.stringify(dataDir)})).then(() => console.log('fine'), (e) => console.log(e.code + ': ' + e.message))`;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nl2code-data-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Prepares the folder in a process that sees it through the given mounts: root is stopped by a mount, not by file modes. */
function prepareBehind(mounts: string[]): string {
  const { stdout, stderr } = spawnSync('bwrap', ['--dev-bind', '/', '/', ...mounts, '--', process.execPath, '-e', script(folder)], { encoding: 'utf8' });
  return stdout.trim() || stderr;
}

describe('a data directory', () => {
  it('is made for its owner alone and says its format', () => {
    const dataDir = join(folder, 'a', 'b');
    prepareDataDir(dataDir);
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
    expect(readFileSync(join(dataDir, 'version'), 'utf8')).toBe('1\n');
    prepareDataDir(dataDir);
    expect(readdirSync(dataDir)).toEqual(['version']);
  });

  it('of a newer version is refused and left as it is', () => {
    writeFileSync(join(folder, 'version'), '2\n');
    expect(() => prepareDataDir(folder)).toThrow(`The data directory ${folder} was written by a newer nl2code (its format is 2, this one knows 1).`);
    expect(readdirSync(folder)).toEqual(['version']);
  });

  it('of an unknown format is refused', () => {
    writeFileSync(join(folder, 'version'), 'grape\n');
    expect(() => prepareDataDir(folder)).toThrow('has the unknown format "grape"');
  });

  it('that is a file is refused', () => {
    writeFileSync(join(folder, 'file'), '');
    expect(() => prepareDataDir(join(folder, 'file'))).toThrow(/can't be written to \(EEXIST\)/);
    expect(() => prepareDataDir(join(folder, 'file', 'below'))).toThrow(/can't be written to \(ENOTDIR\)/);
  });

  it('in a file system that makes no folders is refused, not tried for ever', () => {
    expect(() => prepareDataDir('/proc/nope/data')).toThrow(/can't be written to \(ENOENT\)/);
  });

  it('that is read-only is refused in one sentence', () => {
    expect(prepareBehind(['--ro-bind', folder, folder])).toBe(
      `store-unwritable: The data directory ${folder} can't be written to (EROFS). Give this user a folder it may write to, or name another with --data-dir.`,
    );
  });

  it('without space is refused in one sentence', () => {
    expect(prepareBehind(['--size', '65536', '--tmpfs', folder])).toBe(`store-full: The data directory ${folder} has no space left. Free space in the data directory.`);
  });

  it('that looks the same behind a mount with space is accepted', () => {
    expect(prepareBehind(['--size', '8388608', '--tmpfs', folder])).toBe('fine');
  });

  it('is made by six first processes at once', async () => {
    const dataDir = join(folder, 'new');
    const said = await Promise.all(
      Array.from({ length: 6 }, () => {
        const child = spawn(process.execPath, ['-e', script(dataDir)], { stdio: ['ignore', 'pipe', 'inherit'] });
        return new Promise<string>((resolve) => {
          let text = '';
          child.stdout.on('data', (data: Buffer) => (text += data.toString()));
          child.on('close', () => resolve(text.trim()));
        });
      }),
    );
    expect(said).toEqual(Array(6).fill('fine'));
    expect(readdirSync(dataDir)).toEqual(['version']);
  });

  it('keeps what a user had in it', () => {
    mkdirSync(join(folder, 'mine'), { mode: 0o755 });
    prepareDataDir(folder);
    expect(readdirSync(folder).sort()).toEqual(['mine', 'version']);
  });
});
