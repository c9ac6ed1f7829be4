import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Changes, OutputChange, TableChange } from '../../src/session/changes.js';
import { changeLines, changesText } from '../../src/verification/changes-text.js';
import { verificationText } from '../../src/verification/finding-text.js';
import { scriptChange } from '../../src/verification/script-change.js';
import type { Before } from '../../src/verification/verify-job.js';
import { scriptOf, VerificationRoom } from './verification-room.js';

const HASH = 'a'.repeat(64);

describe('a follow-up in its sandboxes', () => {
  let room: VerificationRoom;
  beforeAll(() => {
    room = new VerificationRoom();
  });
  afterAll(() => room.close());

  const script = (group: string) => scriptOf(`open('people.csv', 'w').write('who,group\\n' + ''.join(f"p{n},{'${group}' if n < 20 else 'target'}\\n" for n in range(100)))`);
  const before = (text: string, files: Record<string, string>): Before => ({
    request: 'r1',
    answered: 1,
    script: { hash: HASH, text },
    outputs: Object.keys(files),
    copyTo: (path, to) => writeFileSync(to, files[path]!, { flag: 'wx' }),
  });
  const people = (held: number) => `who,group\n${Array.from({ length: 100 }, (_, n) => `p${n},${n < held ? 'holdout' : 'target'}\n`).join('')}`;

  test('is held against the outputs of the request before, by key and in numbers, and its checks see them', async () => {
    const check = `def run(ctx):\n    old = (ctx.before / 'people.csv').read_text().count('holdout')\n    return [{'name': 'seen', 'ok': True, 'detail': f'{old} before, {ctx.asked[ctx.answered:]}'}]`;
    const seen = await room.verify(script('holdout'), { outputs: ['people.csv'], checks: { seen: check }, asked: ['first', 'then'], before: before(script('kept back'), { 'people.csv': people(30), 'old.txt': 'x' }) });
    expect(seen).toMatchObject({ ok: true, findings: [], changes: { against: 'r1', script: { before: HASH, added: 1, removed: 1 } } });
    expect(seen.checks.at(-1)!.detail).toBe("30 before, ('then',)");
    expect(changeLines(seen.changes!)).toEqual([
      'script: 1 line added, 1 removed',
      'old.txt: not written any more',
      'people.csv: 100 rows, as before; by who 0 left, 0 came, 10 changed (group 10); group: holdout 30 → 20, target 70 → 80',
    ]);
    expect(verificationText(seen)).toMatch(/Changed against the last verified request[^]*\n-.*'kept back'[^]*\n\+.*'holdout'/);
  });

  test('says so when nothing changed at all, and tells a file that nobody can read', async () => {
    const same = await room.verify(script('holdout'), { outputs: ['people.csv'], before: before(script('holdout'), { 'people.csv': people(20) }) });
    expect(changeLines(same.changes!)).toEqual(['script: not changed', 'outputs: nothing changed, the file holds the same as before']);
    const hostile = await room.verify(scriptOf(`open('t.parquet', 'wb').write(b'PAR1' + bytes(200))`), { outputs: ['t.parquet'], before: before('x', { 't.parquet': 'y' }) });
    expect(changeLines(hostile.changes!)[1]).toMatch(/^t\.parquet: not compared \(.+\)$/);
  });
});

describe('changes as text', () => {
  const table: TableChange = { rows: [1000, 400], key: ['user_id'], left: 623, came: 23, changed: 377, moved: false, cells: [['rank', 377]], added: [], removed: ['x'], totals: [{ column: 'rank', before: 500_500, after: 80_200 }, { column: 'score', before: 1, after: 1 }], groups: [{ column: 'group', values: [['holdout', 100, 40], ['target', 900, 360]] }] };
  const of = (...outputs: OutputChange[]): Changes => ({ against: 'r1', script: scriptChange(HASH, 'a\n', 'b\n'), outputs });

  test('name who left and came, what changed, groups and totals', () => {
    expect(changeLines(of({ path: 't.csv', kind: 'table', table }))[1]).toBe(
      't.csv: 400 rows, 1,000 before; without columns x; by user_id 623 left, 23 came, 377 changed (rank 377); group: holdout 100 → 40, target 900 → 360; totals: rank 500,500 → 80,200; the other totals as before',
    );
  });

  test('never show two sums that differ as the same digits', () => {
    const close = { ...table, totals: [{ column: 'eur', before: 341_023.254, after: 341_023.259 }] };
    expect(changeLines(of({ path: 't', kind: 'table', table: close }))[1]).toContain('eur 341,023.254 → 341,023.259');
  });

  test('hold no control characters, whatever a script wrote', () => {
    const hostile = '\u001b[2J\u202e';
    const text = changesText(of({ path: hostile, kind: 'values', values: [{ at: hostile, before: hostile, after: null }] }, { path: 'p', kind: 'table', table: { ...table, groups: [{ column: hostile, values: [[hostile, 1, 2]] }] } }));
    expect(text).not.toMatch(/[\u001b\u202e]/);
  });

  test('are bounded, however long the scripts are', () => {
    const long = Array.from({ length: 300 }, (_, i) => `x = ${i}`).join('\n');
    const change = scriptChange(HASH, long, long.replaceAll('x', 'y'));
    expect([change.added, change.removed]).toEqual([300, 300]);
    expect(change.diff.length).toBeLessThan(4_100);
    expect(change.diff).toMatch(/\[\d+ more lines\]$/);
    for (const other of ['\n'.repeat(1 << 20), Array.from({ length: 3000 }, (_, i) => `y = ${i}`).join('\n')]) expect(scriptChange(HASH, other, long).diff).toMatch(/^\[another script: \d+ lines before, 300 now\]$/);
  });
});
