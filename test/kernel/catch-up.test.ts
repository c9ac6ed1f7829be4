import { expect, test } from 'vitest';
import { runFrom, type Asked, type Standing } from '../../src/kernel/catch-up.js';
import type { KernelCell, KernelResult } from '../../src/kernel/kernels.js';
import type { WireReply } from '../../src/kernel/protocol.js';

const done = (k: number): KernelResult => ({ reply: { k, ended: 'ok', restored: null } as unknown as WireReply, attachments: [], cached: false, saved: 'local', again: [] });
const behind = (head: number): Asked => ({ elsewhere: { code: 'conflict', head, message: 'It stands elsewhere.' } as never });
const cell: KernelCell = { session: 's', k: 3, code: 'x', epoch: [1, 1], timeoutMs: 1000, maxOutputChars: 1000, past: (k) => ({ code: `past ${k}`, timeoutMs: 1000 }) };

/** A kernel that answers in this order, and notes what it was asked. */
function scripted(answers: Asked[], renew: NonNullable<Standing['renew']>) {
  const log: string[] = [];
  const kernel: Standing = {
    ask: async ({ k }) => (log.push(`ask ${k}`), answers.shift()!),
    rollBack: async (k) => void log.push(`roll back ${k}`),
    renew: async (head) => (log.push(`renew ${head}`), renew(head)),
  };
  return { log, kernel };
}

test('where somebody else came while a later state was fetched the kernel is asked again, and nothing of theirs is taken back', async () => {
  const { log, kernel } = scripted([behind(-1), done(3)], async () => 'moved');
  await runFrom(kernel, cell, { signal: new AbortController().signal });
  expect(log).toEqual(['ask 3', 'renew -1', 'ask 3']);
});

test('where there is none the cells run again', async () => {
  const { log, kernel } = scripted([behind(1), done(2), done(3)], async () => undefined);
  await runFrom(kernel, cell, { signal: new AbortController().signal });
  expect(log).toEqual(['ask 3', 'renew 1', 'ask 2', 'ask 3']);
});

test('a step that was ended while a later state was fetched does nothing more', async () => {
  const step = new AbortController();
  const { log, kernel } = scripted([behind(-1)], async () => (step.abort(new Error('Stopped.')), undefined));
  await expect(runFrom(kernel, cell, { signal: step.signal })).rejects.toThrow('Stopped.');
  expect(log).toEqual(['ask 3', 'renew -1']);
});
