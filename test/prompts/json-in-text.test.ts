import { describe, expect, test } from 'vitest';
import { pythonBlock } from '../../src/prompts/code-blocks.js';
import { jsonIn } from '../../src/prompts/json-in-text.js';

describe('JSON in prose', () => {
  test.each([
    ['nested braces', 'So {"a": {"b": {"c": [1, {"d": 2}]}}} it is', [{ a: { b: { c: [1, { d: 2 }] } } }]],
    ['braces and quotes in strings', 'x {"code": "d = {\'a\': \\"}\\"}"} y', [{ code: "d = {'a': \"}\"}" }]],
    ['several values', '{"a": 1} and\n[2] then {"b": 3}', [{ a: 1 }, [2], { b: 3 }]],
    ['a fence around it', '```json\n{"a": 1}\n```', [{ a: 1 }]],
    ['braces that are no JSON before it', "f(x) = {x} and {user: 1}, {'k': {}}: {\"a\": 1}", [{}, { a: 1 }]],
    ['a bracket that never closes before it', 'see [1 and {"a": 1}', [{ a: 1 }]],
    ['raw line breaks and tabs in a string', '{"code": "a = 1\n\tb = 2\r\n"}', [{ code: 'a = 1\n\tb = 2\r\n' }]],
    ['backslashes that JSON does not know', String.raw`{"code": "re.match('\d+\.\w', x) \n"}`, [{ code: "re.match('\\d+\\.\\w', x) \n" }]],
    ['nothing but prose', 'I am done.', []],
    ['a value that was cut off', '{"a": "b', []],
  ])('%s', (_, text, found) => {
    expect(jsonIn(text)).toEqual(found);
  });

  test.each([
    ['open braces', '{'.repeat(300_000)],
    ['open strings', '{"'.repeat(150_000)],
    ['deep lists', `${'['.repeat(200_000)}${']'.repeat(200_000)}`],
    ['pairs that are no JSON', '{x}'.repeat(130_000)],
    ['quoted pairs that are no JSON', '{"x}\n"}'.repeat(50_000)],
    ['nested pairs that are no JSON', `${'{x'.repeat(90)}${'}'.repeat(90)}`.repeat(1500)],
  ])('is found or given up in bounded time among %s', (_, text) => {
    // Without the bound these take minutes, beyond the time-out of any test.
    expect(jsonIn(text)).toEqual([]);
  });
});

describe('the code of a reply', () => {
  test.each([
    ['one Python block', 'So:\n```python\na = 1\n```\nDone.', 'a = 1\n'],
    ['a block of another language beside it', '```bash\nls\n```\n```py\na\n```', 'a\n'],
    ['one block without a language', '```\na\n```', 'a\n'],
    ['a block that holds a fence in a string', '````python\ns = """\n```\n"""\n````', 's = """\n```\n"""\n'],
    ['two Python blocks', '```python\na\n```\nor\n```python\nb\n```', undefined],
    ['another language only', '```sql\nselect 1\n```', undefined],
    ['two blocks without a language', '```\na\n```\n```\nb\n```', undefined],
    ['a block that was cut off', '```python\na = 1', undefined],
    ['an empty block', '```python\n\n```', undefined],
    ['no block', 'a = 1', undefined],
  ])('with %s', (_, text, code) => {
    expect(pythonBlock(text)).toBe(code);
  });
});
