import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { errorTable } from '../../src/session/error-table.js';

const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
const table = readFileSync(fileURLToPath(new URL('../../src/session/error-table.ts', import.meta.url)), 'utf8');

test('every failure of an endpoint stands in the guide with its remedy', () => {
  const guide = readFileSync(fileURLToPath(new URL('../../docs/models.md', import.meta.url)), 'utf8');
  const rows = Object.entries(errorTable).filter(([code]) => /^(model|proxy)-/.test(code));
  expect(rows.length).toBeGreaterThan(10);
  for (const [code, { retryable, remedy }] of rows) expect(guide).toContain(`| \`${code}\` | ${retryable ? 'yes' : 'no'} | ${remedy} |\n`);
});

test.each([
  ['as it stands compiles', (text: string) => text, 0, ''],
  ['with a code that has no row does not compile', (text: string) => text.replace(/^ {2}'model-quota': .*\n/m, ''), 1, `Property '"model-quota"' is missing`],
])('the error table %s', (_name, changed, status, says) => {
  const folder = mkdtempSync(join(tmpdir(), 'nl2code-table-'));
  try {
    writeFileSync(join(folder, 'error-table.ts'), changed(table));
    const run = spawnSync(process.execPath, [compiler, '--ignoreConfig', '--noEmit', '--strict', '--target', 'es2023', '--types', '', '--pretty', 'false', join(folder, 'error-table.ts')], { encoding: 'utf8' });
    expect({ status: run.status, says: run.stdout }).toEqual({ status, says: expect.stringContaining(says) as string });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
