import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** What must not be written where, and the words of the rule that says so. */
const planted: [law: string, file: string, line: string, rule: string][] = [
  ['session/ imports no Node built-in', 'src/session/planted.ts', "import { readFileSync } from 'node:fs';\nvoid readFileSync;", 'session/ crosses every border'],
  ['session/ imports no package', 'src/session/planted.ts', "import { z } from 'zod';\nvoid z;", 'session/ crosses every border'],
  ['session/ imports only session/', 'src/session/planted.ts', "import { store } from '../store/blobs.js';\nvoid store;", 'session/ imports only session/'],
  ['session/ reads no clock', 'src/session/planted.ts', 'export const now = Date.now();', 'No clock here'],
  ['strategies/ imports nothing of Temporal', 'src/strategies/planted.ts', "import { sleep } from '@temporalio/workflow';\nvoid sleep;", 'strategies/ is pure'],
  ['strategies/ imports no Node built-in', 'src/strategies/planted.ts', "import { join } from 'node:path';\nvoid join;", 'strategies/ is pure'],
  ['strategies/ draws no random numbers', 'src/strategies/planted.ts', 'export const dice = Math.random();', 'No randomness here'],
  ['strategies/ sets no timers', 'src/strategies/planted.ts', 'setTimeout(() => undefined, 1);', 'No clock here'],
  ['workflows/ imports only types of activities', 'src/workflows/planted.ts', "import { createActivities } from '../activities/activities.js';\nvoid createActivities;", 'only types of activities'],
  ['workflows/ imports no Node built-in', 'src/workflows/planted.ts', "import { createHash } from 'node:crypto';\nvoid createHash;", 'workflows/ is deterministic'],
  ['workflows/ imports no worker-side package', 'src/workflows/planted.ts', "import { Worker } from '@temporalio/worker';\nvoid Worker;", 'workflows/ is deterministic'],
  ['workflows/ makes no requests', 'src/workflows/planted.ts', "void fetch('http://x');", 'No I/O here'],
  ['activities leave session bytes to the store', 'src/activities/planted.ts', "import { writeFileSync } from 'node:fs';\nvoid writeFileSync;", 'Only store/ knows'],
  ['the kernel leaves session bytes to the store', 'src/kernel/planted.ts', "import { writeFile } from 'node:fs/promises';\nvoid writeFile;", 'Only store/ knows'],
  ['activities do not know which sandbox runs', 'src/activities/planted.ts', "import { createProcessBackend } from '../sandbox/process.js';\nvoid createProcessBackend;", 'Nothing above sandbox/'],
  ['the CLI does not know which sandbox runs', 'src/cli/planted.ts', "import { x } from '../sandbox/process/connect.js';\nvoid x;", 'Nothing above sandbox/'],
  ['the CLI runs no activities', 'src/cli/planted.ts', "import { createActivities } from '../activities/activities.js';\nvoid createActivities;", 'The CLI and the gateway talk to'],
  ['nothing is any', 'src/store/planted.ts', 'export const planted: any = 1;', 'no-explicit-any'],
  ['no file is longer than 400 lines', 'src/store/planted.ts', 'export {};\n'.repeat(401), 'max-lines'],
];

/** What the same rules must let pass. */
const allowed: [law: string, file: string, line: string][] = [
  ['workflows/ may import types of activities', 'src/workflows/planted.ts', "import type { StepActivities } from '../activities/activities.js';\nexport type Mine = StepActivities;"],
  ['workflows/ may import the workflow side of Temporal', 'src/workflows/planted.ts', "import { ApplicationFailure } from '@temporalio/common';\nimport { sleep } from '@temporalio/workflow';\nvoid [ApplicationFailure, sleep];"],
  ['workflows/ may import session/ and strategies/', 'src/workflows/planted.ts', "import { drive } from '../strategies/drive.js';\nimport { x } from '../session/request.js';\nvoid [drive, x];"],
  ['strategies/ may import session/ and each other', 'src/strategies/planted.ts', "import { x } from '../session/request.js';\nimport { drive } from './drive.js';\nvoid [drive, x];"],
  ['the store reads and writes', 'src/store/planted.ts', "import { readFileSync } from 'node:fs';\nvoid readFileSync;"],
];

/** Rooms that exist, each of which must be closed to the pure ones. */
const rooms = readdirSync(join(root, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
for (const room of rooms.filter((name) => !['session', 'strategies', 'workflows'].includes(name))) {
  const line = `import { x } from '../${room}/x.js';\nvoid x;`;
  planted.push([`strategies/ does not reach into ${room}/`, 'src/strategies/planted.ts', line, 'strategies/ imports only']);
  planted.push([`workflows/ does not reach into ${room}/`, 'src/workflows/planted.ts', line, room === 'activities' ? 'only types of activities' : 'workflows/ imports only']);
}

describe('lint holds the borders between rooms', () => {
  const said = new Map<string, string[]>();
  /** Every case is a file of its own beside the one it is named after, so that one run judges them all. */
  const nameOf = (file: string, law: string) => file.replace('planted', law.replace(/[^a-z0-9]+/gi, '-'));

  beforeAll(() => {
    const folder = mkdtempSync(join(tmpdir(), 'nl2code-borders-'));
    writeFileSync(join(folder, '.oxlintrc.json'), readFileSync(join(root, '.oxlintrc.json')));
    for (const [law, file, text] of [...planted, ...allowed]) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, nameOf(file, law)), `${text}\n`);
    }
    const { stdout } = spawnSync(process.execPath, [join(root, 'node_modules/oxlint/bin/oxlint'), '--format', 'json'], { cwd: folder, encoding: 'utf8' });
    rmSync(folder, { recursive: true, force: true });
    for (const { filename, message, help, code } of (JSON.parse(stdout) as { diagnostics: { filename: string; message: string; help?: string; code: string }[] }).diagnostics) {
      said.set(filename, [...(said.get(filename) ?? []), `${code} ${message} ${help ?? ''}`]);
    }
  });

  it.each(planted)('%s', (law, file, _text, rule) => {
    expect(said.get(nameOf(file, law))?.join('\n')).toContain(rule);
  });

  it.each(allowed)('%s', (law, file) => {
    expect(said.get(nameOf(file, law))).toBeUndefined();
  });
});

it('no strategy is named in activities/', () => {
  const names = readdirSync(join(root, 'src/activities'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) {
    const text = readFileSync(join(root, 'src/activities', name), 'utf8');
    expect(text.match(/\b(single-shot|singleShot|chained|codeact|codeAct|react|auto)\b/i)?.[0], name).toBeUndefined();
  }
});
