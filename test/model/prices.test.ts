import { expect, test } from 'vitest';
import { costUsd, priceOf, worstCaseUsd } from '../../src/model/prices.js';

test('a declared price stands over the list, and a dated snapshot has the price of its model', () => {
  const declared = { 'gpt-4o': { prompt: 1, cached: 1, completion: 1 } };
  expect(priceOf('gpt-4o', declared)).toEqual(declared['gpt-4o']);
  expect(priceOf('gpt-4o-2024-08-06')).toEqual({ prompt: 2.5, cached: 1.25, completion: 10 });
  expect(priceOf('gpt-4o-2024-05-13')?.prompt).toBe(5);
});

test('a model nobody priced has no price, also under names that objects are born with', () => {
  for (const name of ['llama-3', 'gpt-4o-experimental', 'constructor', '__proto__', 'toString'])
    expect(priceOf(name)).toBeUndefined();
});

test('the scripted model is free', () => {
  expect(costUsd({ promptTokens: 1e6, cachedTokens: 0, completionTokens: 1e6 }, priceOf('scripted')!)).toBe(0);
});

test('cached tokens cost their own rate', () => {
  expect(
    costUsd(
      { promptTokens: 1000, cachedTokens: 400, completionTokens: 100 },
      { prompt: 10, cached: 1, completion: 100 },
    ),
  ).toBeCloseTo(0.0164, 10);
});

test('a reservation covers a prompt of twice the usual tokens and a reply at full length', () => {
  expect(
    worstCaseUsd({ promptChars: 4000, maxOutputTokens: 1000 }, { prompt: 1, cached: 0, completion: 10 }),
  ).toBeCloseTo(0.012, 10);
});
