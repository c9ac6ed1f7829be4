import { expect, test } from 'vitest';
import { clean, cleanLine, cut } from '../../src/cli/clean.js';

test('newlines, tabs and every script stay', () => expect(clean('a\tb\nзима 北京 größe \u{1f4c8}')).toBe('a\tb\nзима 北京 größe \u{1f4c8}'));

test.each([
  ['colours', '\u001b[31;1mred\u001b[0m', 'red'],
  ['cursor movement', 'a\u001b[2J\u001b[Hb\u001b[1Ac', 'abc'],
  ['a window title', '\u001b]0;owned\u0007text', 'text'],
  ['a link', '\u001b]8;;http://evil\u001b\\text\u001b]8;;\u001b\\', 'text'],
  ['a device string', '\u001bPq#0;2;0\u001b\\text', 'text'],
  ['a sequence that is never closed', 'a\u001b]52;c;ZXZpbA==', 'a'],
  ['C1 controls', 'a\u009b31mb\u0085c\u0090d', 'abcd'],
  ['a full reset', 'a\u001bcb', 'ab'],
  ['a bell, a backspace and a NUL', 'a\u0007\u0008\u0000b', 'ab'],
  ['a carriage return that would overwrite', 'pay 1\rpay 9', 'pay 1pay 9'],
  ['text that turns round', 'a\u202eb\u2066c\u200fd', 'abcd'],
  ['text that hides', 'a\u200bb\ufeffc\u2028d', 'abcd'],
])('%s never reach the terminal', (_what, text, safe) => expect(clean(text)).toBe(safe));

test('a line break of Windows is one', () => expect(clean('a\r\nb')).toBe('a\nb'));
test('a line is one line, cut with an ellipsis', () => {
  expect(cleanLine('  a\n\n b\u001b[31m c ', 80)).toBe('a b c');
  expect(cleanLine('abcdef', 4)).toBe('abc…');
});
test('wide characters count twice', () => expect(cut('北京北京', 5)).toBe('北…'));
