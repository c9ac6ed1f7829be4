import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { packageRoot } from '../../src/config/package-root.js';
import { MAX_PACK_TEXT_CHARS, outputsText, packText } from '../../src/context/pack-text.js';
import { loadPack, type Pack } from '../../src/context/pack.js';

const marketing = await loadPack('marketing', [join(packageRoot(), 'packs')]);
const lookalike = { outputs: [{ path: './lookalike_audience_scored.parquet' }] };

describe('the marketing pack in a prompt', () => {
  const text = packText(marketing, lookalike);

  test('holds every convention, data source and library', () => {
    for (const convention of marketing.conventions) expect(text).toContain(`- ${convention}`);
    for (const name of ['user_features.parquet', 'high_value_q1.csv', 'mkt_cd']) expect(text).toContain(name);
    for (const name of ['get_user_features(columns', 'query(sql_or_table', 'write_audience(df', 'validate_schema(df', 'rfm_score(df', 'ltv_predict(df'])
      expect(text).toContain(name);
  });

  test('declares the columns of an output that the request promises, and of no other', () => {
    expect(text).toContain('Exactly these columns, no nulls, one row per user_id:\n  user_id (int)');
    for (const column of ['score (float)', 'rank (int)', 'group (str): either target or holdout']) expect(text).toContain(column);
    expect(packText(marketing, { outputs: [{ path: 'other.parquet' }] })).not.toContain('Declared outputs');
  });

  test('tells a follow-up the columns of an output that nobody named before, and nothing else', () => {
    const named = { outputs: [], prompt: 'Write it to lookalike_audience_scored.parquet too.' };
    expect(outputsText(marketing, named, [{ outputs: [{ path: 'other.parquet' }] }])).toMatch(/^Declared outputs\n- lookalike_audience_scored\.parquet: [^]*user_id \(int\)[^]*holdout$/);
    expect(outputsText(marketing, named, [lookalike])).toBe('');
    expect(outputsText(marketing, { outputs: [] }, [])).toBe('');
  });

  test('never holds planted truth, a check, a threshold or a wrong solution', () => {
    const planted = /twin|decoy|spender|planted|truth|seeded|checks?\/|lookalike\.py|0\.35|0\.8|80 ?%|93|imbalance|standardi[sz]ed/i;
    const wrong = /unscaled|scal(er|ing)|cosine|knn|neighbou?r|isolation|logit|logistic|linear|classif|coin|lowest|distance|value ranking/i;
    expect(text).not.toMatch(planted);
    expect(text).not.toMatch(wrong);
  });

  test('says nothing of the numbers the generator draws from', () => {
    const source = readFileSync(join(marketing.folder, 'generate.py'), 'utf8');
    expect(source).toContain('_normal(480, 90)');
    expect(text).not.toMatch(/\b(480|1200|320|110|1[_,]?500|6[_,]?900)\b/);
  });
});

describe('the signatures in the API text', () => {
  test('are those of the libraries', () => {
    for (const library of marketing.libraries) {
      const source = ['tables.py', 'audience.py', 'customer.py']
        .map((file) => join(library.folder, file))
        .flatMap((file) => read(file))
        .join('\n')
        .replace(/os\.PathLike\[str\]/g, 'PathLike')
        .replace(/(Sequence|Mapping)\[object(, object)?\]/g, '$1')
        .replace(/Mapping\[str, object\]/g, 'Mapping');
      const defined = [...source.matchAll(/^def ([a-z]\w*)\(\s*([^)]*?),?\s*\) -> ([^:]+):/gm)].map(
        ([, name, parameters, result]) => `${name}(${parameters!.replace(/\s+/g, ' ')}) -> ${result}`,
      );
      const stated = library.api.split('\n').filter((line) => /^[a-z]\w*\(.*\) -> /.test(line));
      expect(stated.length).toBeGreaterThan(0);
      for (const signature of stated) expect(defined).toContain(signature);
    }
  });
});

describe('any pack in a prompt', () => {
  const pack = (over: Partial<Pack>): Pack => ({ ...marketing, conventions: [], data: [], outputs: [], libraries: [], checks: [], ...over });

  test('is bounded, and names what has no room', () => {
    const big = pack({
      conventions: ['Be exact.'],
      libraries: [1, 2, 3, 4, 5].map((n) => ({ name: `lib${n}`, folder: '/x', api: 'a'.repeat(7_000) })),
    });
    const text = packText(big, { outputs: [] });
    expect(text.length).toBeLessThanOrEqual(MAX_PACK_TEXT_CHARS);
    expect(text).toContain('Be exact.');
    expect(text).toMatch(/lib3\n {2}aaa/);
    expect(text).toMatch(/Left out for length: library lib4, library lib5$/);
    const huge = pack({ data: Array.from({ length: 5_000 }, (_, i) => ({ name: `table-${i}`, description: 'x'.repeat(90) })) });
    expect(packText(huge, { outputs: [] }).length).toBeLessThanOrEqual(MAX_PACK_TEXT_CHARS);
  });

  test('without content is empty', () => {
    expect(packText(pack({}), { outputs: [] })).toBe('');
  });
});

function read(file: string): string[] {
  try {
    return [readFileSync(file, 'utf8')];
  } catch {
    return [];
  }
}

test('columns are declared for an output that only the prompt names', async () => {
  const pack = await loadPack('marketing', [join(import.meta.dirname, '../../packs')]);
  const named = packText(pack, { outputs: [], prompt: 'Write results to `lookalike_audience_scored.parquet`.' });
  expect(named).toContain('rank (int)');
  expect(packText(pack, { outputs: [], prompt: 'Write results somewhere.' })).not.toContain('rank (int)');
});
