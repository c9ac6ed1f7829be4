import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { delta, DONE, failure, stream } from './answering-server.js';
import { against, errorOf } from './endpoint-room.js';

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'nl2code-key-'));
  file = join(dir, 'key');
});
afterEach(() => rmSync(dir, { recursive: true }));

/** As secret stores do it: a new file in the place of the old one. */
const write = (key: string) => {
  writeFileSync(`${file}.new`, key);
  renameSync(`${file}.new`, file);
};

test('a rotated key is used from the next call on, and what is left of the file half-way is not', async () => {
  write('sk-first-0123456789');
  const { ask, server } = await against([stream(delta({ content: 'ok' }, 'stop'), DONE)], { apiKey: 'sk-first-0123456789', apiKeyFile: file });
  await ask();
  write('sk-second-0123456789\n');
  await ask();
  write('');
  await ask();
  rmSync(file);
  await ask();
  write('sk-third-0123456789');
  await ask();
  const keys = server.seen.map(({ headers }) => headers.authorization!.replace('Bearer sk-', '').replace('-0123456789', ''));
  expect(keys).toEqual(['first', 'second', 'second', 'second', 'third']);
});

test('a rotated key is taken out of what the endpoint says, too', async () => {
  write('sk-second-0123456789');
  const { ask } = await against([failure(401, 'Incorrect API key provided: sk-second-0123456789')], { apiKey: 'sk-first-0123456789', apiKeyFile: file });
  expect((await errorOf(ask())).message).toContain('Incorrect API key provided: [key]');
});

test('a key that was rotated out stays out of what the endpoint says', async () => {
  write('sk-first-0123456789');
  const { ask } = await against([stream(delta({ content: 'ok' }, 'stop'), DONE), failure(401, 'Incorrect API key provided: sk-first-0123456789')], { apiKey: 'sk-first-0123456789', apiKeyFile: file });
  await ask();
  write('sk-other-9876543210');
  await ask().catch(() => undefined);
  expect((await errorOf(ask())).message).toContain('Incorrect API key provided: [key]');
});
