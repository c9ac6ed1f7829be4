import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { libraryWords } from '../../src/context/library-words.js';
import { Known } from '../../src/exposure/known.js';
import { Mask } from '../../src/exposure/mask.js';
import { Sensitive } from '../../src/exposure/sensitive.js';
import { ROOT } from '../rig/in-process.js';

/** What the guest's look at these inputs leaves for the host, and what it prints. */
export function lookAt(inputs: Record<string, string>): { sensitive: Sensitive; printed: string } {
  const folder = mkdtempSync(join(tmpdir(), 'nl2code-look-'));
  try {
    for (const name of ['inputs', 'checkpoint']) mkdirSync(join(folder, name));
    for (const [name, content] of Object.entries(inputs)) writeFileSync(join(folder, 'inputs', name), content);
    const printed = execFileSync(join(ROOT, '.runtime/python/bin/python'), ['-c', 'from nl2code_guest.inspection import report; report(keep_sensitive=True)'], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, PYTHONPATH: join(ROOT, 'guest'), NL2CODE_INPUTS: join(folder, 'inputs'), NL2CODE_CHECKPOINT: join(folder, 'checkpoint') },
    });
    return { sensitive: Sensitive.read(readFileSync(join(folder, 'checkpoint', 'sensitive.json'), 'utf8')), printed };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A mask as a session has one: `said` is what the model wrote or was told. */
export function maskOf(sensitive: Sensitive[], said: string[] = [], key = 'k'): Mask {
  const known = new Known();
  known.addAll([said, sensitive.map(({ parts, categories }) => [categories, parts.map(({ file, columns }) => [file, columns.map(({ name }) => name)])])]);
  return new Mask({ sensitive, known, library: libraryWords(), key });
}
