import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { asks } from '../../src/prompts/asks.js';
import type { ModelReply } from '../../src/model/endpoint.js';
import { cellText } from '../../src/prompts/observation-text.js';
import type { Observation } from '../../src/session/observation.js';

const TRACES = join(import.meta.dirname, '../traces');

interface Line {
  record: string;
  parent: string | null;
  kind: string;
  ask?: string;
  value: unknown;
  reply?: ModelReply;
  observation?: Observation;
  args: { verdict?: { status: string } };
}

describe.each(readdirSync(TRACES).filter((name) => name.endsWith('.jsonl')))('the recorded trace %s', (name) => {
  const lines = readFileSync(join(TRACES, name), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as Line);

  test('is one chain from the request to its verdict', () => {
    expect(lines[0]).toMatchObject({ kind: 'open', parent: null });
    for (let i = 1; i < lines.length; i += 1) expect(lines[i]!.parent).toBe(lines[i - 1]!.record);
    // Where the reference of the libraries was withheld, calls are guesses, and found to be.
    expect(lines.at(-1)).toMatchObject({ kind: 'close', args: { verdict: { status: name.startsWith('withheld-') ? 'unverified' : 'verified' } } });
  });

  test("holds replies that today's asks read as they were read then", () => {
    const asked = lines.filter((line) => line.reply);
    expect(asked.length).toBeGreaterThan(0);
    // Plans are kept whole since; how many steps a reply plans has not changed.
    const plain = (value: unknown) => JSON.parse(JSON.stringify(value, (key, member: unknown) => (key === 'plan' ? undefined : member)).replaceAll(/"code":"[^"]*"/g, '"code":"x"')) as unknown;
    for (const line of asked) expect(plain(asks[line.ask!]!.parse(line.reply!, () => 'x'))).toEqual(plain(line.value));
  });

  test('holds observations of cells that are shown as they were shown then', () => {
    const seen = lines.flatMap(({ kind, observation }) => (kind === 'execute' && observation?.kind === 'cell' ? [observation] : []));
    expect(seen.length).toBeGreaterThan(0);
    for (const cell of seen) {
      expect(cell).toHaveProperty('freshKernel');
      const first = cell.freshKernel ? 'The kernel was started afresh before this cell' : (cell.stdout.text || cell.error?.traceback || '').split('\n')[0]!;
      expect(cellText(cell).startsWith(first)).toBe(true);
    }
  });
});
