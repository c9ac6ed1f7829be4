import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Json } from '../../src/session/json.js';
import { defineTool, type Tool } from '../../src/tools/tool.js';
import { ToolSet } from '../../src/tools/tool-set.js';

const usual: Tool = { name: 'append', description: 'Appends.', parameters: z.object({ text: z.string() }), idempotency: 'none', run: () => null };
const jsonSchema: { [key: string]: Json } = { type: 'object', properties: { text: { type: 'string', maxLength: 3 }, times: { type: 'integer', minimum: 0 } }, required: ['text'] };

async function taken(parameters: Tool['parameters'], args: Record<string, Json>): Promise<unknown> {
  return new ToolSet([{ ...usual, parameters }]).get('append')!.take(args);
}

describe('a tool that can not be used is refused with one sentence when the plugin is made', () => {
  const cases: [law: string, tool: object, says: RegExp][] = [
    ['a name that is no Python name', { name: 'send mail' }, /^A tool is called "send mail": give it a Python name .* other than call and list\.$/],
    ['a name with an upper-case letter', { name: 'Send' }, /called "Send"/],
    ['a keyword of Python', { name: 'import' }, /called "import"/],
    ['a name of nl2code.tools itself', { name: 'list' }, /called "list"/],
    ['no name', { name: undefined }, /called undefined/],
    ['no description', { description: ' ' }, /^The tool append has no description: say what it does/],
    ['no idempotency', { idempotency: undefined }, /^The tool append has the idempotency undefined: say "key" when/],
    ['a limit of no time', { timeoutMs: 0 }, /^The tool append has the timeoutMs 0: give milliseconds from 1 to 3600000\.$/],
    ['nothing to run', { run: undefined }, /^The tool append has no function run: give one\.$/],
    ['no parameters', { parameters: undefined }, /^The tool append has no parameters: give a zod object/],
    ['parameters that are no object', { parameters: z.string() }, /^The tool append has parameters that are no object/],
    ['a schema that is no object', { parameters: { type: 'array' } }, /that are no object/],
    ['a schema that can not be read', { parameters: { type: 'object', if: {} } }, /^The tool append has parameters that can't be used as a JSON schema: Conditional schemas/],
    ['arguments that no JSON can be', { parameters: z.object({ at: z.date() }) }, /that can't be used as a JSON schema: /],
  ];
  it.each(cases)('%s', (_law, change, says) => {
    expect(() => new ToolSet([{ ...usual, ...change } as Tool])).toThrow(says);
    expect(() => new ToolSet([{ ...usual, ...change } as Tool])).toThrow(TypeError);
  });

  it('two of one name', () => {
    expect(() => new ToolSet([usual, usual])).toThrow('Two tools are called append: rename one.');
  });

  it('something else than a list', () => {
    expect(() => new ToolSet({ append: usual } as unknown as Tool[])).toThrow('tools is not a list');
  });
});

describe.each([
  ['zod', z.object({ text: z.string().max(3), times: z.number().int().min(0).optional() })],
  ['JSON schema', jsonSchema],
])('arguments are held against the schema (%s)', (_kind, parameters) => {
  it('and what fits is handed on', async () => {
    expect(await taken(parameters, { text: 'abc', times: 2 })).toEqual({ args: { text: 'abc', times: 2 } });
  });
  it.each([
    [{ text: 'abcd' }, /^The tool append does not take these arguments: text: Too big/],
    [{ text: 1 }, /text: Invalid input/],
    [{}, /text: Invalid input/],
    [{ text: 'a', times: 1.5 }, /times: Invalid input/],
    [{ text: 'a', time: 1 }, /^The tool append does not take "time": its arguments are text, times\.$/],
  ] as [Record<string, Json>, RegExp][])('and %j is refused with the reason', async (args, says) => {
    expect(await taken(parameters, args)).toEqual({ problem: expect.stringMatching(says) as string });
  });
});

it('arguments beyond the schema pass where it says so', async () => {
  expect(await taken(z.looseObject({ text: z.string() }), { text: 'a', other: 1 })).toEqual({ args: { text: 'a', other: 1 } });
  expect(await taken({ ...jsonSchema, additionalProperties: true }, { text: 'a', other: 1 })).toEqual({ args: { text: 'a', other: 1 } });
});

it('a tool gets what its zod schema makes of the arguments', async () => {
  const tool = defineTool({ name: 'add_days', description: 'Adds.', parameters: z.object({ day: z.iso.date().transform((text) => new Date(text)), days: z.number().default(1) }), idempotency: 'key', run: ({ day, days }) => day.getTime() + days });
  expect(await new ToolSet([tool]).get('add_days')!.take({ day: '2024-01-31' })).toEqual({ args: { day: new Date('2024-01-31'), days: 1 } });
});

it('what is told of a tool is plain JSON, in the order of names', () => {
  const set = new ToolSet([{ ...usual, name: 'b', parameters: z.object({ text: z.string().describe('the line'), kind: z.enum(['a', 'b']).optional() }) }, { ...usual, name: 'a', parameters: jsonSchema }]);
  expect(set.names).toEqual(['a', 'b']);
  expect(set.described(['b', 'missing', 'a', 'b'])).toEqual([
    { name: 'a', description: 'Appends.', parameters: jsonSchema },
    { name: 'b', description: 'Appends.', parameters: { type: 'object', properties: { text: { type: 'string', description: 'the line' }, kind: { type: 'string', enum: ['a', 'b'] } }, required: ['text'] } },
  ]);
});
