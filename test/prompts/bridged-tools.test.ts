import { describe, expect, it, test } from 'vitest';
import { z } from 'zod';
import { asks } from '../../src/prompts/asks.js';
import { cellBrief } from '../../src/prompts/brief.js';
import { bridgedToolsText } from '../../src/prompts/bridged-tools.js';
import { conversation } from '../../src/prompts/conversation.js';
import { cellText } from '../../src/prompts/observation-text.js';
import type { BridgedTool } from '../../src/session/bridged-tool.js';
import type { Json } from '../../src/session/json.js';
import type { CellObservation } from '../../src/session/observation.js';
import type { StrategyName } from '../../src/session/request.js';
import { ToolSet } from '../../src/tools/tool-set.js';
import { request } from '../strategies/scripted-ports.js';
import { record } from '../store/record.js';

const described = (parameters: z.ZodType | { [key: string]: Json }, description = 'Adds a line to the log.'): BridgedTool[] =>
  new ToolSet([{ name: 'append', description, parameters, idempotency: 'none', run: () => null }]).described(['append']);
const TOOLS = described(z.object({ text: z.string() }));

const system = (ask: string, tools: BridgedTool[] | undefined, strategy: StrategyName = 'codeact') => {
  const opened = record({ kind: 'open', ask: undefined, args: { request: request({ strategy }) } as unknown as Json, refs: tools ? { tools: { text: JSON.stringify(tools) } } : {} });
  const [first] = conversation([opened], ask, [], (ref) => ('text' in ref ? ref.text : ''), { item: 0 });
  return first!.role === 'system' ? first!.content : '';
};

describe('the system prompt', () => {
  test.each(Object.keys(asks))('of %s is the same to the byte where no tools are allowed', (ask) => {
    expect(system(ask, undefined)).toBe(asks[ask]!.system);
    expect(system(ask, [])).toBe(asks[ask]!.system);
  });

  test.each(Object.keys(asks).filter((ask) => ask !== 'single-shot'))('of %s names what code may call', (ask) => {
    const where = ask.startsWith('react') ? 'program' : 'cell';
    expect(system(ask, TOOLS)).toBe(`${asks[ask]!.system}\n\n${bridgedToolsText(TOOLS, where)}`);
  });

  it('of a strategy that runs no code names none', () => {
    expect(system('single-shot', TOOLS)).toBe(asks['single-shot']!.system);
  });
});

test('a tool is told with its signature as Python, its words, and what its arguments are', () => {
  const tools = described(
    z.object({
      to: z.string().describe('Id of the list.'),
      rows: z.array(z.object({ id: z.number() })),
      kind: z.enum(['full', 'delta']).default('full'),
      limit: z.number().int().nullable().optional(),
      share: z.number().optional(),
      dry: z.boolean().default(false),
    }),
    'Uploads rows to a list.\nReturns how many were new.',
  );
  expect(bridgedToolsText(tools, 'cell').split('\n').slice(1, 5)).toEqual([
    'In a cell, code can also call these functions, which run outside of the sandbox, after import nl2code:',
    '- nl2code.tools.append(to: str, rows: list[dict], kind: "full" | "delta" = "full", limit: int | None = …, share: float = …, dry: bool = False): Uploads rows to a list.',
    '    Returns how many were new.',
    '    to: Id of the list.',
  ]);
});

test.each<[string, { [key: string]: Json }, string]>([
  ['no arguments', { type: 'object' }, 'append()'],
  ['a type that is not known', { type: 'object', properties: { a: {}, b: { type: 'odd' }, c: true } }, 'append(a: JSON = …, b: JSON = …, c: JSON = …)'],
  ['several types', { type: 'object', properties: { a: { type: ['string', 'null'] }, b: { anyOf: [{ type: 'integer' }, { type: 'number' }, { type: 'integer' }] } }, required: ['a', 'b'] }, 'append(a: str | None, b: int | float)'],
  ['a constant', { type: 'object', properties: { a: { const: null }, b: { enum: Array.from({ length: 20 }, (_, i) => i) } }, required: ['a', 'b'] }, 'append(a: None, b: 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | …)'],
  ['a list of anything', { type: 'object', properties: { a: { type: 'array' } }, required: ['a'] }, 'append(a: list)'],
])('a signature with %s', (_law, parameters, signature) => {
  expect(bridgedToolsText([{ name: 'append', description: 'Does it.', parameters }], 'program')).toContain(`- nl2code.tools.${signature}: Does it.\n`);
});

describe('of a call that nobody knows took effect', () => {
  const seen: CellObservation = { kind: 'cell', k: 3, ended: 'ok', stdout: { text: 'done\n', omitted: 0 }, stderr: { text: '', omitted: 0 }, result: null, displays: [], error: null, ms: 1, uncertain: [{ call: 2, name: 'append' }] };

  it('the model is told with what the cell showed', () => {
    expect(cellText(seen)).toBe('done\nWhether call 2 of this cell, nl2code.tools.append, took effect is not known: find out before you call it again.');
  });

  it('it is still told when the step is shortened', () => {
    expect(cellBrief({ ...seen, uncertain: [...seen.uncertain!, { call: 4, name: 'append' }, { call: 5, name: 'send' }] })).toBe('  → not known whether append, send took effect; ok: done');
  });

  it('nothing is said where all is known', () => {
    const { uncertain: _, ...known } = seen;
    expect(cellText(known)).toBe('done');
    expect(cellBrief(known)).toBe('  → ok: done');
  });
});
