import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { packageRoot } from '../../src/config/package-root.js';
import { applicableChecks, listPacks, loadPack } from '../../src/context/pack.js';

const shipped = join(packageRoot(), 'packs');
const whole = `name: mine
title: Mine
description: A small pack.
conventions: [Say please.]
data: [{ name: t, description: A table. }]
outputs: [{ path: a.parquet, description: Rows., key: id, columns: [{ name: id, type: int, description: the id }] }]
libraries: [{ name: tool, path: lib/tool, api: "f() -> int" }]
checks: [{ id: rows, title: Rows, module: checks/rows.py, when: { outputs: [a.parquet] }, truth: required }]
`;
let dir: string;
let folder: string;

beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'nl2code-packs-')));
  folder = join(dir, 'mine');
  for (const path of ['lib/tool', 'checks', 'truth']) mkdirSync(join(folder, path), { recursive: true });
  writeFileSync(join(folder, 'lib/tool/__init__.py'), 'def f() -> int:\n    return 1\n');
  writeFileSync(join(folder, 'checks/rows.py'), 'def run(ctx):\n    return []\n');
  write(whole);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const write = (text: string) => writeFileSync(join(folder, 'pack.yaml'), text);
const changed = (from: string, to: string) => {
  expect(whole).toContain(from);
  write(whole.replace(from, to));
};
const refusal = async (name = 'mine'): Promise<string> => {
  const error = await loadPack(name, [dir]).then(
    () => new Error('nothing was refused'),
    (thrown: Error) => thrown,
  );
  expect(error).toMatchObject({ name: 'Nl2codeError', code: 'bad-request' });
  expect(error.message).not.toContain('\n');
  return error.message;
};

describe('loading', () => {
  test('a pack comes with absolute folders and every field filled', async () => {
    expect(await loadPack('mine', [dir])).toEqual({
      name: 'mine',
      title: 'Mine',
      description: 'A small pack.',
      folder,
      digest: expect.stringMatching(/^[0-9a-f]{64}$/),
      conventions: ['Say please.'],
      data: [{ name: 't', description: 'A table.' }],
      outputs: [{ path: 'a.parquet', description: 'Rows.', key: 'id', columns: [{ name: 'id', type: 'int', description: 'the id' }] }],
      libraries: [{ name: 'tool', folder: join(folder, 'lib/tool'), api: 'f() -> int' }],
      libraryFolder: join(folder, 'lib'),
      checks: [{ id: 'rows', title: 'Rows', module: 'checks/rows.py', whenOutputs: ['a.parquet'], truth: 'required' }],
    });
  });

  test('a pack of a name and a description is enough', async () => {
    write('name: mine\ntitle: T\ndescription: D\n');
    expect(await loadPack('mine', [dir])).toMatchObject({ conventions: [], libraries: [], libraryFolder: null, checks: [] });
  });

  test('the shipped marketing pack loads', async () => {
    const pack = await loadPack('marketing', [shipped]);
    expect(pack.libraries.map((library) => library.name)).toEqual(['cdp_client', 'audience_io', 'metrics']);
    expect(pack.checks).toEqual([
      {
        id: 'lookalike',
        title: 'Lookalike audience',
        module: 'checks/lookalike.py',
        whenOutputs: ['lookalike_audience_scored.parquet'],
        truth: 'optional',
      },
    ]);
  });

  test('the columns that the marketing checks hold are the ones its pack declares', async () => {
    const pack = await loadPack('marketing', [shipped]);
    const source = readFileSync(join(pack.folder, 'checks/lookalike.py'), 'utf8');
    const columns = pack.outputs[0]!.columns.map(({ name, type }) => `"${name}": "${type}"`).join(', ');
    expect(source).toContain(`path="${pack.outputs[0]!.path}"`);
    expect(source).toContain(`key="${pack.outputs[0]!.key}"`);
    expect(source).toContain(`columns={${columns}}`);
  });

  test('the folder of the libraries holds the libraries and nothing else', async () => {
    const pack = await loadPack('marketing', [shipped]);
    const names = readdirSync(pack.libraryFolder!).filter((name) => name !== '__pycache__');
    expect(names.sort()).toEqual(pack.libraries.map((library) => library.name).sort());
  });
});

describe('finding', () => {
  test('an unknown pack names the known ones', async () => {
    mkdirSync(join(dir, 'other'));
    writeFileSync(join(dir, 'other', 'pack.yaml'), '');
    expect(await refusal('nope')).toBe('There is no pack "nope": the packs here are mine, other. Correct the request and send it again.');
  });

  test.each(['../mine', '.', '', 'mine/', 'MINE', '__proto__', `x${'y'.repeat(5000)}`])('the name %j finds nothing', async (name) => {
    const message = await refusal(name);
    expect(message).toMatch(/^There is no pack /);
    expect(message.length).toBeLessThan(250);
  });

  test('the first folder that has a name wins, and missing folders hold none', async () => {
    const second = join(dir, 'second');
    cpSync(folder, join(second, 'mine'), { recursive: true });
    mkdirSync(join(second, 'empty'));
    const both = [join(dir, 'gone'), second, dir];
    expect(await listPacks(both)).toEqual([{ name: 'mine', folder: join(second, 'mine') }]);
    expect((await loadPack('mine', both)).folder).toBe(join(second, 'mine'));
    await expect(loadPack('mine', [join(dir, 'gone')])).rejects.toThrow(/no pack stands in/);
  });
});

describe('a malformed pack.yaml is refused with file and field', () => {
  const cases: [string, string, string, string][] = [
    ['a wrong type', 'title: Mine', 'title: [1]', 'title must be text of 1 to 600 characters, not [1]'],
    ['a missing field', 'description: A small pack.\n', '', 'description is missing: it must be text'],
    ['an unknown field', 'title: Mine', 'title: Mine\nconvention: [x]', 'the file has an unknown field "convention"'],
    ['an unknown field further down', 'truth: required', 'truht: required', 'checks[0] has an unknown field "truht"'],
    ['an empty convention', '[Say please.]', '[Say please., " "]', 'conventions[1] must be text of 1 to 600 characters, not " "'],
    ['a list that is none', '[Say please.]', 'please', 'conventions must be a list, not "please"'],
    ['an unknown truth', 'truth: required', 'truth: maybe', 'checks[0].truth must be one of optional, required, none, not "maybe"'],
    ['an unknown column type', 'type: int', 'type: integer', 'outputs[0].columns[0].type must be one of int'],
    ['a name of another folder', 'name: mine', 'name: yours', 'name must be "mine", the name of its folder, not "yours"'],
    ['a check that is not Python', 'checks/rows.py', 'checks/rows.sh', 'checks[0].module must be a Python file'],
    ['a check that is not there', 'checks/rows.py', 'checks/gone.py', 'checks[0].module: checks/gone.py does not exist'],
    ['a check where generated code can read it', 'checks/rows.py', 'lib/tool/__init__.py', 'checks[0].module must stand outside'],
    ['a check outside', 'checks/rows.py', '../rows.py', 'checks[0].module must be a relative path inside the pack'],
    ['an absolute library', 'path: lib/tool', 'path: /lib/tool', 'libraries[0].path must be a relative path inside the pack'],
    ['a library outside', 'path: lib/tool', 'path: lib/../../tool', 'libraries[0].path must be a relative path inside the pack'],
    ['a library that is not there', 'tool, path: lib/tool', 'fool, path: lib/fool', 'libraries[0].path: lib/fool does not exist'],
    ['a library without a folder of its own', 'path: lib/tool', 'path: tool', 'libraries[0].path must end in /tool'],
    ['a library of another name', 'path: lib/tool', 'path: lib/fool', 'libraries[0].path must end in /tool'],
    ['a folder that is no package', 'name: tool, path: lib/tool', 'name: checks, path: x/checks', 'libraries[0].path: x/checks does not exist'],
    ['two of one name', '{ name: t, description: A table. }', '{ name: t, description: A. }, { name: t, description: B. }', 'data names "t" twice'],
    ['text that is not YAML', 'title: Mine', 'title: "Mine', 'the text is not YAML'],
    ['a key twice', 'title: Mine', 'title: Mine\ntitle: Yours', 'the text is not YAML'],
  ];
  test.each(cases)('%s', async (_, from, to, sentence) => {
    changed(from, to);
    const message = await refusal();
    expect(message).toContain(`Pack "mine" can't be used: in ${join(folder, 'pack.yaml')}, ${sentence}`);
    expect(message).toMatch(/Correct the pack and send the request again\.$/);
  });

  test('libraries in two folders', async () => {
    mkdirSync(join(folder, 'more/fool'), { recursive: true });
    changed('libraries: [', 'libraries: [{ name: fool, path: more/fool, api: x }, ');
    expect(await refusal()).toContain('all libraries must stand in one folder, not in more and lib');
  });

  test('an empty file, a list, and aliases that explode', async () => {
    write('');
    expect(await refusal()).toContain('the file is missing');
    write('- a');
    expect(await refusal()).toContain('the file must be a section with the fields name, title');
    const rows = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let i = 1; i < 9; i++) rows.push(`a${i}: &a${i} [${Array(10).fill(`*a${i - 1}`).join(', ')}]`);
    write(rows.join('\n'));
    expect(await refusal()).toContain('the text is not usable YAML');
  });

  test('a file of 1 MB and more', async () => {
    write(`${whole}# ${'x'.repeat(1 << 20)}`);
    expect(await refusal()).toContain('more than 1048576 bytes');
  });
});

describe('links and odd files', () => {
  test.each(['checks/rows.py', 'lib/tool', 'notes.md', 'pack.yaml'])('a link at %s that leaves the pack is refused', async (path) => {
    const outside = join(dir, 'outside');
    cpSync(join(folder, path === 'notes.md' ? 'pack.yaml' : path), outside, { recursive: true });
    rmSync(join(folder, path), { recursive: true, force: true });
    symlinkSync(outside, join(folder, path));
    expect(await refusal()).toContain(`${path} leads out of the pack's folder`);
  });

  test('a link that stays inside is followed, a dangling one is refused', async () => {
    symlinkSync('rows.py', join(folder, 'checks/same.py'));
    changed('checks/rows.py', 'checks/same.py');
    expect((await loadPack('mine', [dir])).checks[0]!.module).toBe('checks/same.py');
    symlinkSync('gone', join(folder, 'checks/dangling'));
    expect(await refusal()).toContain('checks/dangling does not exist');
  });

  test('a link from the libraries to another folder of the pack does not make that folder visible', async () => {
    rmSync(join(folder, 'lib/tool'), { recursive: true });
    writeFileSync(join(folder, 'checks/__init__.py'), '');
    symlinkSync('../checks', join(folder, 'lib/tool'));
    expect(await refusal()).toContain('libraries[0].path must be a folder, not a link');
  });

  test('a pipe is refused instead of read', async () => {
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    expect(await refusal()).toContain('pipe is not a regular file');
  });
});

describe('the digest', () => {
  const digest = async () => (await loadPack('mine', [dir])).digest;

  test('is the same for the same files elsewhere, written in another order, with caches beside them', async () => {
    const first = await digest();
    const elsewhere = join(dir, 'elsewhere');
    for (const path of ['pack.yaml', 'lib', 'checks']) cpSync(join(folder, path), join(elsewhere, 'mine', path), { recursive: true });
    mkdirSync(join(elsewhere, 'mine/lib/tool/__pycache__'));
    writeFileSync(join(elsewhere, 'mine/lib/tool/__pycache__/x.pyc'), 'x');
    expect((await loadPack('mine', [elsewhere])).digest).toBe(first);
  });

  test('changes with a byte, a name and a new file', async () => {
    const seen = new Set([await digest()]);
    writeFileSync(join(folder, 'lib/tool/__init__.py'), 'def f() -> int:\n    return 2\n');
    seen.add(await digest());
    writeFileSync(join(folder, 'truth/a'), '');
    seen.add(await digest());
    rmSync(join(folder, 'truth/a'));
    writeFileSync(join(folder, 'truth/b'), '');
    seen.add(await digest());
    expect(seen.size).toBe(4);
  });
});

describe('applicable checks', () => {
  test('a check applies when all of its outputs are promised', async () => {
    changed('outputs: [a.parquet] }', 'outputs: [a.parquet, b.csv] }');
    const pack = await loadPack('mine', [dir]);
    expect(applicableChecks(pack, ['a.parquet'])).toEqual([]);
    expect(applicableChecks(pack, ['./b.csv', 'c', 'a.parquet'])).toEqual(pack.checks);
    expect(applicableChecks(pack, [])).toEqual([]);
  });
});
