import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../../src/config/package-root.js';

const ROOT = packageRoot();

const files = ['guest/tests', 'test'].flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) => `${folder}/${name}`));

/** The tests that a row names, `` `file` law; `file` law ``. */
function named(row: string): [file: string, law: string][] {
  const held = row.split('|').at(-2)!.trim();
  return held.split('; ').map((each) => {
    const [, file, law] = /^`([^`]+)` (.+)$/.exec(each) ?? [];
    expect(law, each).toBeDefined();
    return [file!, law!];
  });
}

function holds(file: string, law: string): boolean {
  const found = files.filter((name) => name.endsWith(`/${file}`));
  expect(found, file).toHaveLength(1);
  const text = readFileSync(join(ROOT, found[0]!), 'utf8');
  return file.endsWith('.py') ? text.includes(`def test_${law.replaceAll(' ', '_')}(`) : text.includes(law);
}

test('each failure of a durable kernel is held by the tests that the architecture names', () => {
  const [, table] = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8').split('### What can go wrong');
  const rows = table!.split('\n## ')[0]!.split('\n').filter((line) => line.startsWith('| ')).slice(1);
  expect(rows.length).toBeGreaterThan(30);
  expect(rows.flatMap((row) => named(row)).filter(([file, law]) => !holds(file, law))).toEqual([]);
});
