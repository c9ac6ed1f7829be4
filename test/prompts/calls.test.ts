import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ModelReply, RawCall } from '../../src/model/endpoint.js';
import { asks } from '../../src/prompts/asks.js';
import { callsOf } from '../../src/prompts/calls.js';
import { answerOf, promisedOutputs, reviewOf } from '../../src/prompts/replies.js';
import type { Call } from '../../src/session/step.js';

const reply = (content: string, calls: RawCall[] = []): ModelReply => ({ content, calls, finishReason: 'stop', usage: { promptTokens: 1, cachedTokens: 0, completionTokens: 1 }, usageEstimated: false, model: 'm', requestId: 'q' });
const named = (text: string) => callsOf(reply(text)).map(({ id, name, arguments: args }) => [id, name, JSON.parse(args) as unknown]);
/** The calls an ask reads from a reply, with the code itself where the workflow has its hash. */
const read = (ask: string, from: ModelReply) => (asks[ask]!.parse(from, (code) => code) as unknown as { calls: Call[] }).calls;
const native = (name: string, args: unknown) => reply('', [{ id: 'n1', name, arguments: JSON.stringify(args) }]);

describe('a call written as text', () => {
  test('is found in prose, in its order, with nested braces', () => {
    const text = `I look first.
{"tool": "read_schema", "args": {"path": "a.csv"}}
and then
\`\`\`json
{"tool": "run_python", "args": {"code": "print({'a': {'b': 1}})"}}
\`\`\`
Thanks {name}!`;
    expect(named(text)).toEqual([
      ['text-1', 'read_schema', { path: 'a.csv' }],
      ['text-2', 'run_python', { code: "print({'a': {'b': 1}})" }],
    ]);
  });

  test.each([
    ['name and arguments', '{"name": "f", "arguments": {"a": 1}}'],
    ['name and parameters', '<tool_call>{"name": "f", "parameters": {"a": 1}}</tool_call>'],
    ['arguments as text', '{"name": "f", "arguments": "{\\"a\\": 1}"}'],
    ['the wire form', '{"type": "function", "function": {"name": "f", "arguments": {"a": 1}}}'],
    ['a list', '[{"tool": "f", "args": {"a": 1}}]'],
  ])('is understood as %s', (_, text) => {
    expect(named(text)).toEqual([['text-1', 'f', { a: 1 }]]);
  });

  test('is not looked for where there is a native one', () => {
    expect(callsOf(reply('{"tool": "f", "args": {}}', [{ id: 'n', name: 'g', arguments: '{}' }])).map(({ id }) => id)).toEqual(['n']);
  });

  test('is not seen in data that only has a name', () => {
    expect(named('{"name": "Ada", "age": 3} {"tool": 7} {"accept": true}')).toEqual([]);
  });

  test('hands in outputs, an answer and a review as a native one does', () => {
    const submit = reply('{"tool": "submit", "args": {"path": "a.py", "outputs": ["x.csv", 7], "answer": "Done."}}');
    expect(read('codeact', submit)).toEqual([{ id: 'text-1', tool: 'submit', path: 'a.py' }]);
    expect(promisedOutputs(submit, 'text-1')).toEqual(['x.csv']);
    expect(answerOf(submit)).toBe('Done.');
    expect(reviewOf(reply('{"tool": "review", "args": {"accept": false, "summary": "no"}}'))).toEqual({ accept: false, summary: 'no' });
    expect(reviewOf(reply('Well: {"accept": false, "summary": "no"}.'))).toEqual({ accept: false, summary: 'no' });
    expect(reviewOf(reply('All is well.'))).toBeUndefined();
  });
});

describe('a reply of code alone', () => {
  test('is a cell under codeact, and nothing when it is not one block', () => {
    expect(read('codeact', reply('```python\n1 + 1\n```'))).toEqual([{ id: 'reply', tool: 'run_cell', code: '1 + 1\n' }]);
    expect(read('codeact', reply('```python\n1\n```\n```python\n2\n```'))).toEqual([]);
    expect(read('react', reply('```python\n1 + 1\n```'))).toEqual([]);
  });

  test('is the step, or the script, of chained', () => {
    expect(read('chained-step', reply('```python\n1\n```'))).toEqual([{ id: 'reply', tool: 'run_cell', code: '1\n' }]);
    expect(read('chained-step', native('run_cell', { code: '1' }))).toEqual([{ id: 'n1', tool: 'run_cell', code: '1' }]);
    expect(read('chained-step', reply('I would add them up.'))).toEqual([]);
    expect(read('chained-script', reply('```python\n1\n```'))).toEqual([{ id: 'reply', tool: 'submit', code: '1\n' }]);
    expect(read('chained-script', native('submit', { code: 'x', outputs: [] }))).toEqual([{ id: 'n1', tool: 'submit', code: 'x' }]);
    expect(read('chained-script', reply('Done!'))).toEqual([]);
  });
});

describe('a tool of react', () => {
  test.each([
    ['read_schema', { path: 'a b.csv' }, 'from nl2code_guest.tools import read_schema\nread_schema("a b.csv")'],
    ['run_python', { code: 'print(1)\n' }, '%%python\nprint(1)\n'],
    ['check_imports', { packages: ['pandas', 'x'] }, 'from nl2code_guest.tools import check_imports\ncheck_imports(["pandas","x"])'],
    ['check_imports', { packages: 'pandas, x' }, 'from nl2code_guest.tools import check_imports\ncheck_imports(["pandas","x"])'],
    ['write_file', { path: 'sub/a.py', content: 'x\n' }, '%%writefile sub/a.py\nx\n'],
    ['write_file', { path: "-a it's", content: '' }, '%%writefile "-a it\'s"\n'],
  ])('%s is a cell of readable Python', (name, args, code) => {
    expect(read('react', native(name, args))).toEqual([{ id: 'n1', tool: name, code }]);
  });

  test.each([
    ['read_schema', {}],
    ['run_python', { code: ' ' }],
    ['check_imports', { packages: [1] }],
    ['write_file', { path: 'a\nprint(1)', content: 'x' }],
    ['write_file', { path: 'a"b', content: 'x' }],
    ['write_file', { path: 'a' }],
    ['submit', {}],
    ['open_browser', {}],
    ['constructor', {}],
    ['__proto__', {}],
  ])('%s with %j is told what it lacks', (name, args) => {
    expect(read('react', native(name, args))).toEqual([{ id: 'n1', tool: name, problem: expect.stringMatching(/^\w.*\.$/) as string }]);
  });

  test('no argument gets out of its literal', () => {
    const hostile = ['x")\nimport os\nos.system("id")\n("', "'''", '\\', '\u2028\u2029\u0000\u0085', '\ud800 😀', '{{x}} %s', '"""\n%%python\n1'];
    const codes = hostile.map((path) => read('react', native('read_schema', { path }))[0]!.code!.split('\n').slice(1).join('\n'));
    const lists = read('react', native('check_imports', { packages: hostile }))[0]!.code!.split('\n').slice(1).join('\n');
    const check = `import ast, json, sys
for code in json.load(sys.stdin):
    [statement] = ast.parse(code).body
    [argument] = statement.value.args
    print(json.dumps(ast.literal_eval(argument)))`;
    const said = execFileSync(join(import.meta.dirname, '../../.runtime/python/bin/python'), ['-c', check], { input: JSON.stringify([...codes, lists]), encoding: 'utf8' });
    expect(said.trim().split('\n').map((line) => JSON.parse(line) as unknown)).toEqual([...hostile, hostile]);
  });
});
