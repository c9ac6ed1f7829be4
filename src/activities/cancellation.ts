import { ApplicationFailure, CancelledFailure, type Context } from '@temporalio/activity';

/** The server's word that a person, or the workflow, wants this attempt to end. Every other reason only means that it is not ours any more. */
const WANTED = 'CANCELLED';

export interface Cancellation {
  /** Fires when the work is to be ended: a stop. Not when a worker shuts down or another attempt has taken over: the cell goes on for them. */
  readonly signal: AbortSignal;
  /** Rejects when this attempt is to let go without ending what runs. */
  readonly letGo: Promise<never>;
}

/** Tells a stop from a hand-over. Runs in activities. */
export function cancellationOf(context: Context): Cancellation {
  const stop = new AbortController();
  const letGo = new Promise<never>((_, reject) => {
    context.cancelled.catch((error: unknown) => {
      const reason = error instanceof CancelledFailure ? error.message : '';
      if (reason === WANTED) stop.abort(error);
      else reject(ApplicationFailure.retryable(`This attempt let go (${reason || 'unknown reason'}); another goes on where it was.`, 'handed-over'));
    });
  });
  letGo.catch(() => undefined);
  return { signal: stop.signal, letGo };
}
