import { execFileSync } from 'node:child_process';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listWorkspace, openArtifact, readArtifact } from '../../src/sandbox/artifact.js';

const SECRET = 'a secret of the host';
let root: string;
let outside: string;

beforeAll(() => {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'nl2code-artifact-')));
  root = join(base, 'workspace');
  outside = join(base, 'outside');
  mkdirSync(join(root, 'sub', 'deep'), { recursive: true });
  mkdirSync(outside);
  writeFileSync(join(outside, 'secret'), SECRET);
  writeFileSync(join(root, 'table.csv'), 'a,b\n');
  writeFileSync(join(root, 'sub', 'deep', 'größe 😀.txt'), 'deep');
});
afterAll(() => rmSync(join(root, '..'), { recursive: true, force: true }));

describe('reading a file that a sandbox wrote', () => {
  it('gives the bytes of a regular file, in a folder too', () => {
    expect(readArtifact(root, 'table.csv', 100).toString()).toBe('a,b\n');
    expect(readArtifact(root, 'sub/deep/größe 😀.txt', 100).toString()).toBe('deep');
    const { bytes, close } = openArtifact(root, 'table.csv', 100);
    close();
    expect(bytes).toBe(4);
  });

  it.each([
    '',
    '/etc/passwd',
    '../outside/secret',
    'sub/../../outside/secret',
    './table.csv',
    'sub//deep',
    'sub/',
    'a\0b',
  ])('refuses the path %j', (path) => {
    expect(() => readArtifact(root, path, 1e6)).toThrow('is not a path inside');
  });

  it('refuses a link to a file, a link on the way, a hard link, a folder, a pipe, a socket and a device', async () => {
    symlinkSync(join(outside, 'secret'), join(root, 'link'));
    symlinkSync(outside, join(root, 'way'));
    linkSync(join(outside, 'secret'), join(root, 'hard'));
    execFileSync('mkfifo', [join(root, 'pipe')]);
    const server = createServer().listen(join(root, 'socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    const began = performance.now();
    expect(() => readArtifact(root, 'link', 1e6)).toThrow('is a symbolic link');
    expect(() => readArtifact(root, 'way/secret', 1e6)).toThrow('through a symbolic link');
    expect(() => readArtifact(root, 'hard', 1e6)).toThrow('hard link');
    expect(() => readArtifact(root, 'sub', 1e6)).toThrow('not a regular file');
    expect(() => readArtifact(root, 'pipe', 1e6)).toThrow('not a regular file');
    expect(() => readArtifact(root, 'socket', 1e6)).toThrow('not a regular file');
    expect(() => readArtifact(root, 'missing', 1e6)).toThrow('does not exist');
    expect(performance.now() - began).toBeLessThan(2000);
    for (const name of ['link', 'way', 'hard', 'pipe']) unlinkSync(join(root, name));
    await new Promise((resolve) => server.close(resolve));
  });

  it('refuses a file above the cap without reading it', () => {
    writeFileSync(join(root, 'huge'), '');
    truncateSync(join(root, 'huge'), 2 ** 40);
    expect(() => readArtifact(root, 'huge', 1e6)).toThrow('more than 1000000');
    unlinkSync(join(root, 'huge'));
  });

  it('never reads outside while names are swapped under it', async () => {
    const swapper = new Worker(SWAPPER, { eval: true, workerData: { root, outside } });
    await new Promise((resolve) => swapper.once('message', resolve));
    let read = 0;
    let refused = 0;
    for (const end = performance.now() + 1500; performance.now() < end;) {
      for (const path of ['swapped/secret', 'flip']) {
        try {
          expect(readArtifact(root, path, 1e6).toString()).toBe('harmless');
          read++;
        } catch (error) {
          if (!(error as Error).message.startsWith('The file')) throw error;
          refused++;
        }
      }
    }
    await swapper.terminate();
    expect(read).toBeGreaterThan(0);
    expect(refused).toBeGreaterThan(0);
    rmSync(join(root, 'swapped'), { recursive: true, force: true });
    for (const name of ['real', 'flip', '.file']) rmSync(join(root, name), { recursive: true, force: true });
  });
});

describe('listing a workspace', () => {
  it('names regular files in order, without links, hidden entries and byte code', () => {
    for (const folder of ['.cache', '__pycache__']) mkdirSync(join(root, folder));
    for (const name of ['.cache/x', '__pycache__/y.pyc', '.hidden']) writeFileSync(join(root, name), '');
    symlinkSync(outside, join(root, 'way'));
    symlinkSync(join(outside, 'secret'), join(root, 'link'));
    const { files, truncated } = listWorkspace(root);
    expect(files.map(({ path, bytes }) => [path, bytes])).toEqual([
      ['sub/deep/größe 😀.txt', 4],
      ['table.csv', 4],
    ]);
    expect(truncated).toBe(false);
  });

  it('stops at its caps and says so', () => {
    const many = join(root, 'many');
    mkdirSync(many);
    for (let n = 0; n < 500; n++) writeFileSync(join(many, `file-${n}`), '');
    expect(listWorkspace(root, { maxFiles: 100 })).toMatchObject({ truncated: true, files: { length: 100 } });
    expect(listWorkspace(root, { maxEntries: 50 }).truncated).toBe(true);
    let deep = root;
    for (let n = 0; n < 100; n++) mkdirSync((deep = join(deep, 'd')));
    expect(listWorkspace(root).truncated).toBe(true);
    renameSync(join(root, 'd'), join(outside, 'd'));
  });
});

/** Swaps a folder with a link to a folder outside, and a file with a link to a file outside, as quickly as it can. */
const SWAPPER = `
const fs = require('node:fs'); const { join } = require('node:path');
const { parentPort, workerData: { root, outside } } = require('node:worker_threads');
fs.mkdirSync(join(root, 'real')); fs.writeFileSync(join(root, 'real', 'secret'), 'harmless');
fs.writeFileSync(join(root, '.file'), 'harmless');
let told = false;
for (;;) {
  fs.renameSync(join(root, 'real'), join(root, 'swapped'));
  fs.renameSync(join(root, '.file'), join(root, 'flip'));
  if (!told) { told = true; parentPort.postMessage('on'); }
  for (let n = 0; n < 2000; n++);
  fs.renameSync(join(root, 'swapped'), join(root, 'real'));
  fs.renameSync(join(root, 'flip'), join(root, '.file'));
  fs.symlinkSync(outside, join(root, 'swapped'));
  fs.symlinkSync(join(outside, 'secret'), join(root, 'flip'));
  fs.unlinkSync(join(root, 'swapped')); fs.unlinkSync(join(root, 'flip'));
}`;
