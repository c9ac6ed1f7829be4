import { expect, test } from 'vitest';
import { lineDiff } from '../../src/cli/line-diff.js';

const diff = (before: string[], after: string[], context?: number) => lineDiff(before.join('\n'), after.join('\n'), context).map(({ sign, text }) => sign + text);

test('a changed line shows before and after with what stands around it', () =>
  expect(diff(['a', 'b', 'c', 'k=5', 'd', 'e', 'f'], ['a', 'b', 'c', 'k=10', 'd', 'e', 'f'])).toEqual([' …', ' b', ' c', '-k=5', '+k=10', ' d', ' e', ' …']));
test('equal texts differ in nothing', () => expect(diff(['a', 'b'], ['a', 'b'])).toEqual([]));
test('an added and a removed line', () => {
  expect(diff(['a', 'c'], ['a', 'b', 'c'])).toEqual([' a', '+b', ' c']);
  expect(diff(['a', 'b', 'c'], ['a', 'c'])).toEqual([' a', '-b', ' c']);
});
test('two changes far apart leave a gap between them', () => expect(diff(['x', '1', '2', '3', 'y'], ['X', '1', '2', '3', 'Y'], 1)).toEqual(['-x', '+X', ' 1', ' …', ' 3', '-y', '+Y']));
test('a moved line is found', () => expect(diff(['a', 'b'], ['b', 'a'], 1)).toEqual(['-a', ' b', '+a']));
test('a text too long to compare says so', () => expect(lineDiff('x\n'.repeat(5000), 'y')[0]!.text).toBe('… too long to compare: 5001 lines before, 1 after'));
