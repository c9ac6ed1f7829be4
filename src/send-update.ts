import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';

const AGAIN_MS = 100;
const FAILED_PRECONDITION = 9;

/** The status of a call that failed: the client's own error holds it as its cause, and that of Update-with-Start is thrown as it came. */
export function statusOf(error: unknown): { code?: number; message?: string } {
  const { cause } = error as { cause?: object };
  return cause ?? (error as object);
}

/** Whether the server gave an update up because the workflow task that carried it failed. */
export function isGivenUp(error: unknown): boolean {
  const { code, message = '' } = statusOf(error);
  return code === FAILED_PRECONDITION && /workflow task/i.test(message);
}

/**
 * Sends an update, and sends it again while the server gives it up with its workflow task: it was not taken then. That is no fault of
 * the session: a run that hands over has its task failed when a message comes in that moment. Give `send` an update id, which makes it one
 * update however often it is sent; it may start the run. Throws what the last call threw, and begins none after the deadline.
 */
export async function sendUpdate<T>(client: Client, deadline: number, send: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await client.withDeadline(deadline, send);
    } catch (error) {
      if (!isGivenUp(error) || Date.now() + AGAIN_MS > deadline) throw error;
    }
    await delay(AGAIN_MS);
  }
}
