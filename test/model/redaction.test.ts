import { expect, test } from 'vitest';
import { quotable, redacted } from '../../src/model/redaction.js';

const KEY = 'sk-abcdefghijklmnop';

test.each([
  [`the key is ${KEY}!`, 'the key is [key]!'],
  [`${KEY}${KEY}`, '[key]'],
  [`starts ${KEY.slice(0, 8)}***${KEY.slice(-8)}`, 'starts [key]***[key]'],
  [`seven ${KEY.slice(0, 7)} are too few`, `seven ${KEY.slice(0, 7)} are too few`],
])('%s becomes %s', (text, want) => {
  expect(redacted(text, [KEY])).toBe(want);
});

test('a placeholder key of a local server stays', () => {
  expect(redacted('model ollama not found', ['ollama'])).toBe('model ollama not found');
  expect(redacted('anything', [])).toBe('anything');
});

test('a quote is one bounded line without control or direction characters', () => {
  expect(quotable('a\u001b[31m\n\tb\u202ec\u0000d', [])).toBe('a [31m b c d');
  expect(quotable('x'.repeat(900), [])).toHaveLength(300);
});
