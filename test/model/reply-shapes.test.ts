import { expect, test } from 'vitest';
import type { StrategyName } from '../../src/session/request.js';
import { type Answer, delta, DONE, status, stream } from './answering-server.js';
import { converse } from './asking-room.js';

const says = (content: string, finish = 'stop'): Answer => stream(delta({ content }, finish), DONE);
const calls = (...made: { id?: string; name?: string; args: unknown }[]): Answer =>
  stream(delta({ tool_calls: made.map(({ id, name, args }, index) => ({ index, id, function: { name, arguments: typeof args === 'string' ? args : JSON.stringify(args) } })) }, 'tool_calls'), DONE);
const cutCall: Answer = stream(delta({ tool_calls: [{ index: 0, id: 'a', function: { name: 'run_python', arguments: '{"code": "print(1' } }] }, 'length'), DONE);

const NO_CALL = 'Your reply held no tool call, so nothing was done. Call one of the tools, or submit to hand in the script.';
const NOTHING_RAN = 'Your reply held no tool call, so nothing ran. Call run_cell to run code, or submit to hand in the script.';
const NO_OBJECT = 'Not run: The arguments are not a JSON object.';
const TOOLS = 'read_schema, run_python, check_imports, write_file, submit';
const block = (language: string, code: string) => `\`\`\`${language}\n${code}\n\`\`\`\n`;

interface ShapeRow {
  name: string;
  answer: Answer;
  /** What the model is told next. */
  told: string;
  as?: 'tool' | 'user';
  /** The reason a person sees when the model goes on like this. */
  ends?: string;
  strategy?: StrategyName;
}

const SHAPES: ShapeRow[] = [
  { name: 'prose in place of a call', answer: says('I would first look at the file.'), told: NO_CALL, ends: 'two replies in a row held no tool call' },
  { name: 'nothing at all', answer: stream(delta({ role: 'assistant' }), delta({}, 'stop'), DONE), told: NO_CALL, ends: 'two replies in a row held no tool call' },
  { name: 'prose that was cut', answer: says('First of all, it has to be', 'length'), told: `Your reply reached its limit of tokens and was cut there: write less in one reply, a long file in parts. ${NO_CALL}`, ends: 'two replies in a row held no tool call; the last one was cut at its limit of tokens, see model.maxOutputTokens' },
  { name: 'what a filter withheld', answer: says('', 'content_filter'), told: `Your reply was withheld by the endpoint's content filter: say it otherwise. ${NO_CALL}`, ends: "two replies in a row held no tool call; the last one was withheld by the endpoint's content filter" },
  { name: 'a refusal', answer: stream(delta({ refusal: "I can't help with that." }), delta({}, 'stop'), DONE), told: NO_CALL, ends: 'two replies in a row held no tool call; the last one is a refusal by the model' },
  { name: 'two languages in code blocks', answer: says(`${block('bash', 'pip install x')}${block('sql', 'select 1')}`), told: NOTHING_RAN, strategy: 'codeact' },
  { name: 'three code blocks', answer: says(block('python', 'a = 1').repeat(3)), told: NOTHING_RAN, strategy: 'codeact' },
  { name: 'one block of Python beside another language', answer: says(`${block('bash', 'ls')}${block('python', 'print(42)')}`), told: 'Result of your reply:\n42', strategy: 'codeact' },
  { name: 'a call cut in its middle', answer: cutCall, told: `${NO_OBJECT} Your reply reached its limit of tokens and was cut there: write less in one reply, a long file in parts.`, as: 'tool' },
  { name: 'arguments that are not JSON', answer: calls({ id: 'a', name: 'run_python', args: 'print(1)' }), told: NO_OBJECT, as: 'tool' },
  { name: 'arguments that lack what is needed', answer: calls({ id: 'a', name: 'run_python', args: { source: '1' } }), told: 'Not run: run_python needs "code", a non-empty string.', as: 'tool' },
  { name: 'a call without an id', answer: calls({ name: 'run_python', args: { code: '1' } }), told: '42', as: 'tool' },
  { name: 'two calls of one id', answer: calls({ id: 'a', name: 'run_python', args: { code: '1' } }, { id: 'a', name: 'nope', args: {} }), told: `Not run: There is no tool "nope"; use ${TOOLS}.`, as: 'tool' },
  { name: 'a call without a name', answer: calls({ id: 'a', args: { code: '1' } }), told: `Not run: There is no tool ""; use ${TOOLS}.`, as: 'tool' },
  { name: 'an unknown tool', answer: calls({ id: 'a', name: 'shell', args: {} }), told: `Not run: There is no tool "shell"; use ${TOOLS}.`, as: 'tool' },
];

test.each(SHAPES)('$name: the model is told, and a person why it ended', async ({ answer, told, as = 'user', ends, strategy = 'react' }) => {
  const plan = strategy === 'codeact' ? 1 : 0;
  const talk = await converse([...(plan ? [says('1. count')] : []), answer, ...(ends ? [answer] : []), says('Well.'), says('Well.')], { strategy });
  expect(talk.told(plan + 1)).toMatchObject({ role: as, content: told });
  if (ends) expect(talk.verdict).toMatchObject({ status: 'stopped', reason: ends });
});

test.each([
  ['is cut', stream(delta({ content: '```python\nprint(' }, 'length'), DONE), 'It was cut at its limit of tokens, see model.maxOutputTokens.'],
  ['is a refusal', status(200, { id: 'x', choices: [{ message: { role: 'assistant', content: null, refusal: 'No.' }, finish_reason: 'stop' }] }), 'It is a refusal by the model.'],
])('the only reply of single-shot that %s fails the request with the reason', async (_name, answer, why) => {
  const { verdict } = await converse([answer], { strategy: 'single-shot' });
  expect(verdict).toMatchObject({ status: 'failed', reason: `The reply held no script: neither a submit call with code nor one Python block. ${why}` });
});
