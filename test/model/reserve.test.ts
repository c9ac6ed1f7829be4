import { describe, expect, test } from 'vitest';
import { reserve } from '../../src/model/reserve.js';
import { NOTHING_SPENT } from '../../src/session/usage.js';

const price = { prompt: 1, cached: 1, completion: 10 };
const free = { maxCostUsd: null, maxTokens: null };
const call = { promptChars: 2000, maxOutputTokens: 4000 };

describe('a model call', () => {
  test('reserves its worst case', () => {
    expect(reserve(free, NOTHING_SPENT, call, price)).toEqual({ usd: (1000 + 40_000) / 1e6, tokens: 5000, maxOutputTokens: 4000 });
  });

  test('of a model whose price is not known reserves tokens only, and is refused under a cost bound', () => {
    expect(reserve(free, NOTHING_SPENT, call, undefined)).toEqual({ usd: 0, tokens: 5000, maxOutputTokens: 4000 });
    expect(() => reserve({ ...free, maxCostUsd: 1 }, NOTHING_SPENT, call, undefined)).toThrow(/price of this model is not known/);
  });

  test('gets a shorter reply where the tokens left allow no longer one, and is refused where they allow none', () => {
    const spent = { ...NOTHING_SPENT, promptTokens: 500, completionTokens: 300, lostTokens: 200 };
    expect(reserve({ ...free, maxTokens: 3000 }, spent, call, price)).toMatchObject({ maxOutputTokens: 1000, tokens: 2000 });
    expect(() => reserve({ ...free, maxTokens: 2200 }, spent, call, price)).toThrow('budget: 1000 of 2200 tokens are spent and the next call may take 1256.');
  });

  test('is refused where it may cost more than is left, attempts that were lost among it', () => {
    expect(() => reserve({ ...free, maxCostUsd: 0.05 }, { ...NOTHING_SPENT, costUsd: 0.02 }, call, price)).toThrow('budget: $0.0200 of $0.05 are spent and the next call may cost $0.0410.');
    expect(reserve({ ...free, maxCostUsd: 0.05 }, { ...NOTHING_SPENT, costUsd: 0.009 }, call, price).usd).toBeCloseTo(0.041);
  });
});
