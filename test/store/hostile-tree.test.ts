import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { discardTree, removeTree } from '../../src/store/hostile-tree.js';
import { makeDeep } from './deep-tree.js';

describe('a tree that hostile code wrote', () => {
  let root: string;
  let tree: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'nl2code-tree-'));
    tree = join(root, '-tree');
    mkdirSync(tree);
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('is removed however deep it is', async () => {
    makeDeep(tree);
    expect(() => rmSync(tree, { recursive: true, force: true })).toThrow('ENAMETOOLONG');
    await removeTree(tree);
    expect(readdirSync(root)).toEqual([]);
  });

  it('is removed whatever it allows', async () => {
    mkdirSync(join(tree, 'closed', 'in'), { recursive: true });
    for (const folder of [join(tree, 'closed', 'in'), join(tree, 'closed'), tree]) chmodSync(folder, 0);
    await removeTree(tree);
    expect(readdirSync(root)).toEqual([]);
  });

  it('is removed without what its links lead to, and so is a link in its place', async () => {
    mkdirSync(join(root, 'kept'));
    writeFileSync(join(root, 'kept', 'file'), 'x');
    symlinkSync(join(root, 'kept'), join(tree, 'link'));
    await removeTree(tree);
    symlinkSync(join(root, 'kept'), tree);
    await removeTree(tree);
    expect(readdirSync(root)).toEqual(['kept']);
    expect(existsSync(join(root, 'kept', 'file'))).toBe(true);
  });

  it('that is not there is as good as removed', async () => {
    await removeTree(join(root, 'never'));
  });

  it('that can not be removed fails nobody who has better things to tell', async () => {
    vi.stubEnv('PATH', '/nowhere');
    await expect(removeTree(tree)).rejects.toThrow();
    await discardTree(tree);
    vi.unstubAllEnvs();
    expect(existsSync(tree)).toBe(true);
  });
});
