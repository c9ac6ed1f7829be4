import { describe, expect, test } from 'vitest';
import type { ModelReply, RawCall } from '../../src/model/endpoint.js';
import { asks } from '../../src/prompts/asks.js';
import { planAnswer, planOf } from '../../src/prompts/plan-ask.js';
import { STRATEGIES } from '../../src/session/request.js';
import { readPlanText } from '../../src/session/plan.js';

const reply = (content: string, calls: RawCall[] = []): ModelReply => ({ content, calls, finishReason: 'stop', usage: { promptTokens: 1, cachedTokens: 0, completionTokens: 1 }, usageEstimated: false, model: 'm', requestId: 'q' });
const native = (name: string, args: unknown): RawCall => ({ id: 'n1', name, arguments: typeof args === 'string' ? args : JSON.stringify(args) });
const plan = {
  steps: ['Read a.csv', 'Score'],
  assumptions: ['"spend" = amount_eur'],
  questions: [{ question: 'Which year?', options: ['2024', '2025'], default: '2025' }],
  checks: [{ kind: 'rows', output: 'x.csv', equals: 10 }],
};

describe('the plan of a reply', () => {
  test.each([
    ['a call', reply('I plan.', [native('plan', plan)])],
    ['a call in the text', reply(`Here: {"tool": "plan", "args": ${JSON.stringify(plan)}}`)],
    ['an object in the text', reply(`My plan:\n\`\`\`json\n${JSON.stringify(plan, null, 2)}\n\`\`\``)],
  ])('is read whole from %s', (_, from) => {
    expect(planOf(from, [])).toEqual({ plan: { ...plan, questions: [{ id: 'q1', ...plan.questions[0] }] }, problems: [] });
  });

  test.each([
    ['a list of texts', '["a", "b"]', 2],
    ['a list in prose', 'Sure! ["Read {x}", "Score"] and that is it', 2],
    ['a list of objects', '[{"step": 1, "what": "read"}, {"step": 2, "what": "score"}]', 2],
    ['a member of an object', '{"plan": ["a", "b", "c"]}', 3],
    ['the longest of several lists', '["a"] or rather ["a", "b", "c"]', 3],
    ['more steps than are worked on', JSON.stringify(Array.from({ length: 30 }, (_, i) => `step ${i}`)), 10],
    ['a list of numbers', '[1, 2, 3]', 0],
    ['a numbered list', 'The plan:\n1. read\n2) score\n', 2],
    ['a bulleted list', '- read\n* score', 2],
    ['prose', 'I would read it, then score it.', 0],
    ['an empty list', '[]', 0],
  ])('has the steps of %s and nothing else', (_, text, steps) => {
    const { plan: read } = planOf(reply(text));
    expect(read.steps).toHaveLength(steps);
    expect(read).toMatchObject({ assumptions: [], questions: [], checks: [] });
  });

  test('keeps steps that are objects as text', () => {
    expect(planOf(reply('[{"step": 1, "what": "Read"}, {"n": 2}]')).plan.steps).toEqual(['Read', '{"n":2}']);
  });

  test('is told what was left out of it, and a call of another tool that it comes first', () => {
    const read = planOf(reply('', [native('plan', { ...plan, checks: [{ kind: 'true' }, plan.checks[0]] })]), []);
    expect(read.plan.checks).toEqual(plan.checks);
    expect(planAnswer('plan', read)).toMatch(/^The plan is noted; go on by it\. The check 1 was left out: its kind is "true"; the kinds are rows, /);
    const none = planOf(reply('', [native('run_cell', { code: '1' })]));
    expect(none.plan.steps).toEqual([]);
    expect(planAnswer('run_cell', none)).toMatch(/^Not run\. First the plan: call plan/);
    expect(planAnswer('plan', planOf(reply('', [native('plan', '{"steps": ["a"')])))).toBe('Not taken. The arguments are not a JSON object.');
  });

  test('reaches the workflow as counts and the hash of its whole text', () => {
    const kept: string[] = [];
    const store = (text: string) => `h${kept.push(text)}`;
    expect(asks['codeact-plan']!.parse(reply('', [native('plan', plan)]), store, [])).toEqual({ items: 2, plan: 'h1', questions: 1 });
    expect(readPlanText(kept[0]!)).toMatchObject(plan);
    expect(asks['chained-plan']!.parse(reply('["a"]'), store)).toEqual({ items: 1, plan: 'h2' });
    expect(asks['auto-plan']!.parse(reply('Well.'), store)).toEqual({ items: 0 });
    expect(kept).toHaveLength(2);
  });
});

test.each(STRATEGIES)('every ask of %s has the same system prompt and the same tools, so that a provider can cache them', (strategy) => {
  const of = Object.entries(asks).filter(([name]) => name === strategy || name.startsWith(`${strategy}-`));
  expect(of.length).toBeGreaterThan(0);
  for (const [, { system, tools }] of of) expect({ system, tools }).toEqual({ system: of[0]![1].system, tools: of[0]![1].tools });
});
