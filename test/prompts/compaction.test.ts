import { describe, expect, test } from 'vitest';
import { Talks } from '../../src/activities/talks.js';
import type { ChatMessage } from '../../src/model/endpoint.js';
import { conversation, promptTokens } from '../../src/prompts/conversation.js';
import { asks } from '../../src/prompts/asks.js';
import { NOTICE } from '../../src/prompts/transcript.js';
import { random } from '../kernel/random.js';
import { randomSession, read, wellFormed, type Told } from './random-session.js';

const WINDOW = 12_000;
/** A seed that fails is named by the test. */
const SEEDS = Array.from({ length: 4 }, (_, i) => 7 + i * 101);

interface Asked {
  /** Records before it. */
  at: number;
  messages: ChatMessage[];
  told: Told;
}

/** Every prompt of a session, as one worker would make them. */
function prompts(seed: number, window: number | undefined, records = 400): { asked: Asked[]; session: ReturnType<typeof randomSession> } {
  const session = randomSession(random(seed), { promptTokens: window, records });
  const talks = new Talks();
  const links = session.records.map((record, i) => ({ hash: String(i), record }));
  const asked = links.flatMap(({ record }, at): Asked[] =>
    record.ask ? [{ at, messages: talks.of('s', links.slice(0, at), read).prompt(record.ask, record.facts, record.args), told: session.told[at]! }] : [],
  );
  return { asked, session };
}

const isPrefix = (before: ChatMessage[], after: ChatMessage[]) => before.every((message, i) => JSON.stringify(message) === JSON.stringify(after[i]));
const codes = (messages: ChatMessage[]) => messages.flatMap((message) => (message.role === 'assistant' ? message.calls.map(({ arguments: args }) => (JSON.parse(args) as { code?: string }).code ?? '') : [])).join('\n');
const contents = (messages: ChatMessage[]) => messages.map(({ content }) => content).join('\n');

describe.each(SEEDS)('a long conversation within a window, seed %i', (seed) => {
  const { asked, session } = prompts(seed, WINDOW);

  test('has a result directly after every call, and ends with something to answer', () => {
    for (const { messages } of asked) {
      wellFormed(messages);
      expect(messages.at(-1)!.role).not.toBe('assistant');
    }
  });

  test('is never longer than the window', () => {
    const sizes = asked.map(({ at, messages }) => promptTokens(messages, asks[session.records[at]!.ask!]!.tools));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(WINDOW);
    // Without the window it would be: the law is about something.
    expect(promptTokens(prompts(seed, undefined).asked.at(-1)!.messages, [])).toBeGreaterThan(WINDOW * 2);
  });

  test('only grows, but for few compactions', () => {
    const breaks = asked.slice(1).filter(({ messages }, i) => !isPrefix(asked[i]!.messages, messages));
    expect(breaks.length).toBeGreaterThan(0);
    expect(breaks.length).toBeLessThan(asked.length / 8);
    for (const { messages } of breaks) expect(contents(messages)).toContain(NOTICE);
  });

  test('is the same whoever makes it, from the records alone', () => {
    for (const { at, messages } of [asked.at(-1)!, asked[asked.length >> 1]!]) {
      const { ask, facts, args } = session.records[at]!;
      expect(conversation(session.records.slice(0, at), ask!, facts, read, args)).toEqual(messages);
    }
  });

  test('loses no request, no inspection, no plan and no decision, and keeps the last script and verification whole', () => {
    for (const { messages, told } of asked) {
      const text = contents(messages);
      for (const words of told.whole) expect(text).toContain(words);
      if (told.verification) expect(text).toContain(told.verification);
      if (told.script) expect(`${text}\n${codes(messages)}`).toContain(told.script);
    }
  });
});

test('a request without a window is never shortened', () => {
  const { asked } = prompts(3, undefined);
  for (let i = 1; i < asked.length; i += 1) expect(isPrefix(asked[i - 1]!.messages, asked[i]!.messages)).toBe(true);
});

test('old steps leave a line of what ran and a line of what it showed', () => {
  const text = contents(prompts(7, WINDOW).asked.at(-1)!.messages);
  expect(text).toMatch(/^- ran # step \d+ of the work \(defines frame_\d+, rows_\d+\)$/m);
  expect(text).toMatch(/^ {2}→ ok: head \d+ … tail \d+$/m);
  expect(text).toMatch(/^ {2}→ error: ValueError: wrong value \d+$/m);
  expect(text).toMatch(/^ {2}→ not run: An earlier call/m);
});

test('so many old steps that their lines alone fill the window leave out the oldest, and say how many', () => {
  const { asked } = prompts(5, 6000, 1500);
  expect(contents(asked.at(-1)!.messages)).toMatch(/^\(\d+ older lines are left out\.\)$/m);
}, 60_000);

test('a prompt that was refused is made shorter, and those after it keep to that', () => {
  const session = randomSession(random(11), { promptTokens: 100_000, records: 200, plain: true });
  const [at, next] = session.records.flatMap(({ ask }, i) => (ask ? [i] : [])).slice(-2) as [number, number];
  const { ask, facts, args } = session.records[at]!;
  const links = (n: number) => session.records.slice(0, n).map((record, i) => ({ hash: String(i), record }));
  const refused = promptTokens(conversation(session.records.slice(0, at), ask!, facts, read, args), []);
  const shorter = new Talks().of('s', links(at), read).prompt(ask!, facts, args, Math.floor(refused / 2));
  expect(promptTokens(shorter, [])).toBeLessThan(refused / 2);
  wellFormed(shorter);
  const sent = { base: null, add: { text: '' }, sha: 'x', within: Math.floor(refused / 2) };
  const after = session.records.map((record, i) => (i === at ? { ...record, sent } : record));
  const messages = conversation(after.slice(0, next), session.records[next]!.ask!, session.records[next]!.facts, read, session.records[next]!.args);
  expect(isPrefix(shorter, messages)).toBe(true);
});
