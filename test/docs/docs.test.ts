import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { runProgram } from '../../src/cli/program.js';
import { createTerminal } from '../../src/cli/terminal.js';
import { fileLayer, mergeLayers } from '../../src/config/layers.js';
import { packageRoot } from '../../src/config/package-root.js';
import { parsePlaybook } from '../../src/model/scripted/playbook.js';
import { shownCommands, shownOptions } from './commands.js';

const ROOT = packageRoot();
/** What users read. CHANGELOG.md tells of commands that were. */
const GUIDES = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md', ...readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)];
const texts = new Map(GUIDES.map((name) => [name, readFileSync(join(ROOT, name), 'utf8')]));

/** No command has it, and the parser complains of the first option it does not know, before any command runs. */
const STOP = '--stop-before-running';

/** What the command line's own parser says of words: null when it knows the command and every option. Runs nothing. */
async function complaint(words: string[]): Promise<string | null> {
  let said = '';
  const stream = { write: (text: string) => (said += text) };
  const terminal = createTerminal({ stdin: {}, stdout: stream, stderr: stream, env: {} });
  await runProgram([...words, STOP], { terminal, env: { HOME: tmpdir() }, cwd: tmpdir(), stdin: Readable.from([]), exitCode: 0 });
  return said.includes(`unknown option '${STOP}'`) ? null : said.trim();
}

/** Every fenced program of a language, by where it stands. */
function fences(language: string): { place: string; name: string; code: string }[] {
  return [...texts].flatMap(([file, text]) =>
    [...text.matchAll(new RegExp(`^\`\`\`${language}(?: (\\S+))?\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, name = '', code], i) => ({ place: `${file} ${language} ${i + 1}`, name, code: code! })),
  );
}

describe('a guide shows only', () => {
  const commands = [...texts].flatMap(([file, text]) => shownCommands(file, text));

  test('commands and options that exist', async () => {
    expect(commands.length).toBeGreaterThanOrEqual(10);
    const wrong = [];
    for (const { place, words } of commands) {
      const said = await complaint(words.map((word) => (/^<.*>$/.test(word) ? 's' : word)));
      if (said !== null) wrong.push(`${place}: nl2code ${words.join(' ')}: ${said}`);
    }
    expect(wrong).toEqual([]);
  });

  test('options that some command has', async () => {
    const names = new Set(commands.flatMap(({ words }) => (/^[a-z]/.test(words[0] ?? '') ? [words[0]!] : [])));
    const options = shownOptions('README.md', texts.get('README.md')!);
    expect(options.length).toBeGreaterThanOrEqual(3);
    const wrong = [];
    for (const { place, words } of options) {
      const said = await Promise.all([...names].map((name) => complaint([name, ...words])));
      if (!said.includes(null)) wrong.push(`${place}: ${words.join(' ')}`);
    }
    expect(wrong).toEqual([]);
  });

  test('links to files that are there', () => {
    const links = [...texts].flatMap(([file, text]) => [...text.matchAll(/\]\((?!\w+:)([^)#\s]+)[^)]*\)/g)].map(([, to]) => ({ file, to: to! })));
    expect(links.length).toBeGreaterThanOrEqual(10);
    expect(links.filter(({ file, to }) => !existsSync(join(ROOT, dirname(file), to)))).toEqual([]);
  });

  test('npm scripts that exist', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
    const shown = [...texts.values()].flatMap((text) => [...text.matchAll(/\bnpm run ([\w:-]+)/g)].map(([, name]) => name!));
    expect(shown.length).toBeGreaterThanOrEqual(5);
    expect(shown.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
  });

  test('TypeScript and JavaScript that compiles against the package', () => {
    const programs = [...fences('js'), ...fences('ts')];
    expect(programs.length).toBeGreaterThanOrEqual(2);
    const folder = mkdtempSync(join(tmpdir(), 'nl2code-snippets-'));
    try {
      mkdirSync(join(folder, 'node_modules'));
      symlinkSync(ROOT, join(folder, 'node_modules', 'temporal-nl2code'));
      for (const name of ['@temporalio', '@types', 'zod']) symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
      writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
      const options = { target: 'es2023', module: 'nodenext', noEmit: true, allowJs: true, checkJs: true, strict: false, skipLibCheck: true, types: ['node'] };
      writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, include: ['*'] }));
      for (const { place, name, code } of programs) writeFileSync(join(folder, name || `${place.replaceAll(/\W+/g, '-')}.ts`), code);
      const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
      const { status, stdout } = spawnSync(process.execPath, [compiler, '-p', folder, '--pretty', 'false'], { encoding: 'utf8' });
      expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('configuration that is accepted', () => {
    const files = fences('yaml').filter(({ code }) => code.includes('nl2code.config.yaml'));
    expect(files.length).toBeGreaterThanOrEqual(2);
    for (const { place, code } of files) expect(() => mergeLayers([fileLayer(parse(code), place)]), place).not.toThrow();
  });

  test('playbooks that load', () => {
    const playbooks = fences('yaml').filter(({ code }) => code.includes('turns:'));
    expect(playbooks.length).toBeGreaterThanOrEqual(1);
    for (const { code } of playbooks) expect(parsePlaybook('shown.codeact.yaml', code).turns.length).toBeGreaterThan(0);
  });
});

test('a command that a guide shows is found wherever it stands', () => {
  const text = ['| `nl2code list`, `logs -f <session>` | x |', '`npx nl2code setup`, `up`', '```', '$ nl2code show s --json | jq .', 'nl2code demo · model: scripted', 'A=1 npx nl2code run "a b" --input x.csv  # why', '```', '| `nl2code decide <session> approve\\|reject` |'].join('\n');
  expect(shownCommands('x.md', text).map(({ place, words }) => `${place} ${words.join('_')}`)).toEqual([
    'x.md:1 list',
    'x.md:1 logs_-f_<session>',
    'x.md:2 setup',
    'x.md:4 show_s_--json',
    'x.md:6 run_a b_--input_x.csv',
    'x.md:8 decide_<session>_approve',
  ]);
});

test.each([
  [['rnu', 'x'], "unknown command 'rnu'"],
  [['run', 'x', '--inputs', 'y'], "unknown option '--inputs'"],
  [['show', 's', '--follow'], "unknown option '--follow'"],
])('%j would be found wrong', async (words, said) => expect(await complaint(words)).toContain(said));
