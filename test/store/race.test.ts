import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const KEYS = 500;

test('processes that race for the same steps all see one winner each', async () => {
  const root = mkdtempSync(join(tmpdir(), 'nl2code-race-'));
  const racers = await Promise.all(
    ['a', 'b', 'c'].map(async (me, i) => {
      const child = spawn(process.execPath, [new URL('./racer.mjs', import.meta.url).pathname, root, me, String(KEYS), String(Math.floor((i * KEYS) / 3))], { stdio: ['pipe', 'pipe', 'inherit'] });
      await once(child.stdout, 'data');
      child.stdin.write('go\n');
      await once(child.stdout, 'data');
      return child;
    }),
  );
  const told = await Promise.all(
    racers.map(async (child) => {
      const chunks: Buffer[] = [];
      child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
      child.stdin.write('go\n');
      await once(child, 'close');
      return JSON.parse(Buffer.concat(chunks).toString()) as string[];
    }),
  );
  expect(told[0]).toHaveLength(KEYS);
  expect(told[1]).toEqual(told[0]);
  expect(told[2]).toEqual(told[0]);
  expect(new Set(told[0]).size, 'everybody won something').toBe(3);
  expect(readdirSync(join(root, 'sessions', 'race', 'records'))).toHaveLength(KEYS);
});
