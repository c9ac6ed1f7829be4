import { describe, expect, it } from 'vitest';
import { errorSentence } from '../../src/tools/error-sentence.js';
import { plainAnswer } from '../../src/tools/plain-answer.js';

const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);

describe('what a tool returns is handed over as JSON', () => {
  it.each([
    [undefined, null],
    [null, null],
    [0, 0],
    ['ü', 'ü'],
    [{ a: [1, { b: true }], gone: undefined }, { a: [1, { b: true }] }],
    [Object.assign(Object.create(null) as object, { a: 1 }), { a: 1 }],
    [nested(32), nested(32)],
    ['half \ud800, \\ud800', 'half \ufffd, \\ud800'],
  ])('%j', (returned, value) => {
    expect(plainAnswer(returned)).toEqual({ value });
  });
});

describe('what is no JSON is refused by its place', () => {
  class Row {}
  it.each([
    [Number.NaN, 'NaN, which is no JSON'],
    [{ rows: [1, Infinity] }, 'Infinity at ["rows"][1], which is no JSON'],
    [{ at: new Date(0) }, 'a Date at ["at"], which is no JSON'],
    [new Map(), 'a Map, which is no JSON'],
    [new Row(), 'a Row, which is no JSON'],
    [{ toJSON: () => 1 }, 'a Object, which is no JSON'],
    [Buffer.from('a'), 'a Buffer, which is no JSON'],
    [1n, 'a bigint, which is no JSON'],
    [[() => 1], 'a function at [0], which is no JSON'],
    [[undefined], 'a undefined at [0], which is no JSON'],
    [nested(33), 'something nested deeper than 32'],
    ['x'.repeat((1 << 20) - 1), '1,048,577 bytes, more than 1,048,576: ask it for less'],
  ])('%#', (returned, problem) => {
    expect(plainAnswer(returned)).toEqual({ problem });
  });
});

describe('of what a tool throws one line is told', () => {
  const env = { CRM_API_KEY: 'hunter2hunter2', HOME: '/home/somebody', PATH: '/usr/bin' };
  it.each([
    [new Error('The CRM is away.\n    at secret.ts:3'), 'The CRM is away.'],
    [new TypeError(''), 'TypeError'],
    ['thrown text', 'thrown text'],
    [undefined, 'undefined'],
    [Object.create(null), 'it gave no reason'],
    [new Error(`a\u001b[31m\u202eb${'x'.repeat(600)}`), `a [31m b${'x'.repeat(491)}…`],
  ])('%#', (thrown, says) => {
    expect(errorSentence(thrown, env)).toBe(says);
  });

  it.each([
    ['GET https://svc:p4ss@crm.example/x failed', 'GET https://[key]@crm.example/x failed'],
    ['401 for Bearer abc.def-123456', '401 for Bearer [key]'],
    ['401: authorization: Bearer abc.def-123456', '401: authorization: Bearer [key]'],
    ['password=hunter2; host=db', 'password=[key]; host=db'],
    ['{"api_key": "abc123", "user": "me"}', '{"api_key": [key], "user": "me"}'],
    ['key sk-proj-abcdefghij1234567890 is not valid', 'key [key] is not valid'],
    ['refused hunter2hunter2 at /home/somebody', 'refused [key] at /home/somebody'],
    ['the token of the session is missing', 'the token of the session is missing'],
  ])('without what looks like a secret: %s', (message, says) => {
    expect(errorSentence(new Error(message), env)).toBe(says);
  });
});
