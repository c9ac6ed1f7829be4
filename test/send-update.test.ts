import type { Client } from '@temporalio/client';
import { expect, test } from 'vitest';
import { sendUpdate } from '../src/send-update.js';

const client = { withDeadline: (_deadline: number, send: () => Promise<unknown>) => send() } as unknown as Client;
const grpc = (code: number, message: string) => Object.assign(new Error(message), { code });
const GIVEN_UP = 'Unable to perform workflow execution update due to unexpected workflow task failure.';

/** Fails with each of the errors in turn, then is taken. */
function caller(errors: unknown[]) {
  const calls = { n: 0 };
  const send = (): Promise<string> => {
    calls.n += 1;
    const error = errors.shift();
    return error === undefined ? Promise.resolve('taken') : Promise.reject(error as Error);
  };
  return { calls, send };
}

test.each([
  ['an update', new Error('Workflow Update failed', { cause: grpc(9, `9 FAILED_PRECONDITION: ${GIVEN_UP}`) })],
  ['an update with start', grpc(9, GIVEN_UP)],
  ['an update of a run whose tasks fail', new Error('Workflow Update failed', { cause: grpc(9, '9 FAILED_PRECONDITION: Unable to perform workflow execution update due to Workflow Task in failed state.') })],
])('%s that was given up with its workflow task is sent again', async (_what, error) => {
  const { calls, send } = caller([error, error]);
  expect(await sendUpdate(client, Date.now() + 10_000, send)).toBe('taken');
  expect(calls.n).toBe(3);
});

test('an update that is given up until the deadline fails as it did last', async () => {
  const error = grpc(9, GIVEN_UP);
  const { calls, send } = caller(Array.from({ length: 9 }, () => error));
  await expect(sendUpdate(client, Date.now() + 250, send)).rejects.toBe(error);
  expect(calls.n).toBeLessThan(4);
});

test.each([new Error('Workflow Update failed', { cause: new Error('This proposal has been decided already.') }), grpc(14, 'unavailable'), grpc(9, 'another precondition')])('an update that fails for another reason is sent once: %s', async (error) => {
  const { calls, send } = caller([error]);
  await expect(sendUpdate(client, Date.now() + 10_000, send)).rejects.toBe(error);
  expect(calls.n).toBe(1);
});
