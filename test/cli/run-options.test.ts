import { Command } from 'commander';
import { expect, test } from 'vitest';
import { requestOptions, withRunOptions, type RunOptions } from '../../src/cli/run-options.js';

const asked = (...argv: string[]) => requestOptions('p', withRunOptions(new Command()).exitOverride().parse(argv, { from: 'user' }).opts<RunOptions>());

test('an exposure of the request and one of each input are as the command line gives them', () => {
  expect(asked('--exposure', 'schema', '-i', 'a.csv', '-i', 'b=c.csv', '--input-exposure', 'a.csv=full')).toMatchObject({ exposure: 'schema', inputs: [{ path: 'a.csv', exposure: 'full' }, 'b=c.csv'] });
});

test('without them the configuration decides', () => {
  expect(asked('-i', 'a.csv')).toEqual({ prompt: 'p', inputs: ['a.csv'], budget: {}, limits: {} });
});

test('an exposure of what is no input is refused', () => {
  expect(() => asked('-i', 'a.csv', '--input-exposure', 'b.csv=schema')).toThrow('--input-exposure names "b.csv", which is no --input: give the path of one.');
});
