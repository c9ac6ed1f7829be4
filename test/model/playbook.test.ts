import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadPlaybooks, parsePlaybook } from '../../src/model/scripted/playbook.js';
import { SMALL } from './scripted-playbook.js';

const NAME = 'count.codeact.yaml';

test('a playbook knows its request and strategy by its name, and its pace turn by turn', () => {
  const paced = parsePlaybook(
    NAME,
    SMALL.replace('match:', 'pace: { delayMs: 5, tokensPerSecond: 50 }\nmatch:').replace(
      'say: I add',
      'delayMs: 9\n    say: I add',
    ),
  );
  expect(paced).toMatchObject({ name: 'count.codeact', request: 'count', strategy: 'codeact' });
  expect(paced.turns.map((t) => [t.delayMs, t.tokensPerSecond])).toEqual([
    [5, 50],
    [9, 50],
    [5, 50],
    [5, 50],
  ]);
});

test.each<[string, string, string, RegExp]>([
  ['another name', 'count.yaml', SMALL, /the name is not <request>\.<strategy>\.yaml/],
  ['no YAML', NAME, 'turns: [', /count\.codeact\.yaml: .*line 1/],
  ['no mapping', NAME, '- 1', /the file: /],
  ['an unknown field', NAME, SMALL.replace('optional:', 'perhaps:'), /turns\.3: .*perhaps/],
  [
    'a turn that may go unused without a reason',
    NAME,
    SMALL.replace('optional: only when a person edits the script', 'optional: true'),
    /turns\.3\.optional/,
  ],
  [
    'a detour without a reason',
    NAME,
    SMALL.replace('    reason: the kernel may be lost at any cell\n', ''),
    /detours\.0\.reason/,
  ],
  ['a broken expression', NAME, SMALL.replace('kernel died', "'('"), /is not a regular expression/],
  [
    'a name nothing reads',
    NAME,
    SMALL.replace('{{total}}.', '{{sum}}.'),
    /turn "submit" uses \{\{sum\}\}, which nothing reads before it/,
  ],
  ['a name read only later', NAME, SMALL.replace('I add it up.', "'{{total}}'"), /turn "add" uses \{\{total\}\}/],
  ['two turns of one name', NAME, SMALL.replace('name: submit', 'name: add'), /two turns are called "add"/],
  ['no end', NAME, SMALL.replaceAll('last: true', 'last: false'), /no turn is marked last/],
  [
    'a turn that says nothing',
    NAME,
    SMALL.replace(/ {4}say: \|\n {6}1\. .*\n/, ''),
    /turn "plan" neither says nor calls/,
  ],
  ['a shared text that is not there', NAME, `texts: { script: none.txt }\n${SMALL}`, /texts: .*none\.txt/],
  ['a shared text of another folder', NAME, `texts: { script: ../none.txt }\n${SMALL}`, /texts\.script/],
])('is refused in one sentence that names the file: %s', (_name, file, text, sentence) => {
  const readText = (name: string) => {
    throw new Error(`no such file ${name}`);
  };
  expect(() => parsePlaybook(file, text, readText)).toThrow(sentence);
  expect(() => parsePlaybook(file, text, readText)).toThrow(
    expect.objectContaining({ code: 'bad-input', message: expect.stringContaining(file) }) as Error,
  );
});

test('shared texts are pasted in, their captures with them', () => {
  const folder = mkdtempSync(join(tmpdir(), 'playbooks-'));
  writeFileSync(join(folder, 'script.txt'), 'print({{column|json}})\n');
  writeFileSync(
    join(folder, NAME),
    `texts: { script: script.txt }\n${SMALL.replace('load({{column|json}})', '{{script}}')}`,
  );
  expect(loadPlaybooks([folder])[0]?.detours[0]?.calls[0]?.arguments.code).toBe('print({{column|json}})\n');
  expect(() => loadPlaybooks([folder, folder])).toThrow(/Two playbooks are called count\.codeact/);
});
