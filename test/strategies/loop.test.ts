import { describe, expect, test } from 'vitest';
import { newCounts, type Taken } from '../../src/session/session-state.js';
import type { StepIO } from '../../src/session/step.js';
import { loopIn } from '../../src/strategies/loop.js';
import { play } from './scripted-ports.js';

const taken = (text: string): Taken[] => [...text].map((letter) => ({ code: letter.toLowerCase(), sig: letter, ok: letter === letter.toLowerCase() }));

describe('a loop', () => {
  // A letter is a cell with its result; a capital one failed.
  test.each([
    ['aaa', 'repeat'],
    ['xaaa', 'repeat'],
    ['AA', 'error'],
    ['abab', 'alternation'],
    ['aBaB', 'alternation'],
    ['ABCDEFGH', 'no-progress'],
    ['aa', undefined],
    ['abba', undefined],
    ['abcab', undefined],
    ['ABCDEFGh', undefined],
    ['ABCDEFG', undefined],
    ['', undefined],
  ])('%s is %s', (text, loop) => expect(loopIn(taken(text))).toBe(loop));

  test('is none when the same code shows something new', () => {
    expect(loopIn([1, 2, 3].map((sig) => ({ code: 'a', sig: String(sig), ok: true })))).toBeUndefined();
  });
});

type Seen = StepIO['execute']['value'];
const ran = (sig: string, ok = true): Seen => ({ ok, sig });
const calls = (...codes: string[]) => ({ calls: codes.map((code, i) => ({ id: `c${i}`, tool: 'run_cell', code })) });

describe('a model that goes round in circles', () => {
  test('is told once, with its next call, and is stopped when it goes on', async () => {
    const run = await play({}, { plan: [{ items: 1 }], code: Array.from({ length: 6 }, () => calls('a')), execute: [ran('i'), ...Array.from({ length: 6 }, () => ran('s'))] });
    const told = run.calls.filter((call) => call.facts.some((fact) => fact.kind === 'loop'));
    expect(told.map((call) => call.kind)).toEqual(['code']);
    expect(told[0]!.facts).toContainEqual({ kind: 'loop', loop: 'repeat' });
    expect(run.verdict).toMatchObject({ status: 'stopped', reason: 'loop: the same cell gave the same result three times, although the model was told' });
    expect(run.unused).toEqual([]);
  });

  test('is told after every call of its reply has its answer', async () => {
    const submit = { calls: [{ id: 's', tool: 'submit', path: 'a.py' }] };
    const run = await play({}, { plan: [{ items: 1 }], code: [calls('a'), calls('a', 'b'), submit], execute: [ran('i'), ran('s', false), ran('s', false), { ok: true, code: 'script1', sig: 'v' }], review: [{ accept: true }] });
    const next = run.calls.filter((call) => call.kind === 'code')[2]!;
    expect(next.facts.map((fact) => fact.kind).filter((kind) => kind !== 'turn')).toEqual(['not-run', 'loop']);
  });

  test('and changes its way goes on', async () => {
    const run = await play({}, { plan: [{ items: 1 }], code: [calls('a'), calls('a'), calls('b'), { calls: [{ id: 's', tool: 'submit', path: 'a.py' }] }], execute: [ran('i'), ran('s', false), ran('s', false), ran('t'), { ok: true, code: 'script1', sig: 'v' }], review: [{ accept: true }] });
    expect(run.verdict.status).toBe('verified');
    const next = run.calls.filter((call) => call.kind === 'code')[2]!;
    expect(next.facts.map((fact) => fact.kind)).toContain('loop');
  });

  test('is also one that calls what there is not: it is told, then stopped', async () => {
    const wrong = { calls: [{ id: 'w', tool: 'nope', problem: 'There is no tool "nope".' }] };
    const run = await play({}, { plan: [{ items: 1 }], code: [wrong, wrong, wrong, wrong], execute: [ran('i')] });
    expect(run.calls.filter((call) => call.facts.some((fact) => fact.kind === 'loop')).map((call) => call.kind)).toEqual(['code']);
    expect(run.verdict).toMatchObject({ status: 'stopped', reason: 'loop: the same call failed in the same way twice, although the model was told' });
  });

  test('is not stopped under a strategy whose course ends by itself', async () => {
    const step = { calls: [{ id: 'reply', tool: 'run_cell', code: 'x' }] };
    const script = { calls: [{ id: 's', tool: 'submit', code: 'script1' }] };
    const run = await play(
      { strategy: 'chained' },
      { plan: [{ items: 3 }], code: [...Array.from({ length: 6 }, () => step), script], execute: [ran('i'), ...Array.from({ length: 6 }, () => ran('s', false)), { ok: true, code: 'script1', sig: 'v' }], review: [{ accept: false }] },
    );
    expect(run.calls.flatMap((call) => call.facts).filter((fact) => fact.kind === 'loop')).toHaveLength(1);
    expect(run.verdict).toMatchObject({ status: 'verified' });
  });

  test('is forgotten by a follow-up, which is told anew', () => {
    expect(newCounts()).toMatchObject({ recent: [], loop: null, nudged: false });
  });
});
