/** No byte came for so long. */
export class Stalled extends Error {
  override readonly name = 'Stalled';
  constructor(readonly stallMs: number) {
    super(`no byte for ${stallMs} ms`);
  }
}

/** The answer holds more bytes than anything sensible would. */
export class TooLarge extends Error {
  override readonly name = 'TooLarge';
  constructor(readonly maxBytes: number) {
    super(`more than ${maxBytes} bytes`);
  }
}

/** A response whose body is watched; `done` once the end mark of a server-sent stream (`data: [DONE]`) has come by. */
export class GuardedResponse extends Response {
  done = false;
}

type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/**
 * A `fetch` for hostile and failing servers: follows no redirect (a key is bound to its host), rejects with `Stalled`
 * when no
 * byte comes for `stallMs` (headers included), with `TooLarge` beyond `maxBytes`, cuts error bodies at 64 KiB, and ends
 * a
 * server-sent stream at `[DONE]` whether or not the server closes it. Time the reader takes does not count as a stall.
 */
export function guardedFetch(inner: Fetch, guard: { stallMs: number; maxBytes: number }): Fetch {
  return async (input, init = {}) => {
    const ours = new AbortController();
    const forward = () => ours.abort(init.signal?.reason);
    if (init.signal?.aborted) forward();
    init.signal?.addEventListener('abort', forward, { once: true });
    const release = () => init.signal?.removeEventListener('abort', forward);
    const stalled = new Stalled(guard.stallMs);
    const watched = async <T>(wait: Promise<T>): Promise<T> => {
      const timer = setTimeout(() => ours.abort(stalled), guard.stallMs);
      try {
        return await wait;
      } catch (error) {
        throw ours.signal.reason === stalled ? stalled : error;
      } finally {
        clearTimeout(timer);
      }
    };
    try {
      const response = await watched(inner(input, { ...init, signal: ours.signal, redirect: 'manual' }));
      if (response.body === null) return (release(), response);
      const limit = response.ok ? guard.maxBytes : ERROR_BYTES;
      return watchedResponse(response, response.body.getReader(), watched, { limit, cut: !response.ok }, ours, release);
    } catch (error) {
      release();
      throw error;
    }
  };
}

const ERROR_BYTES = 65_536;
const END_MARK = /(?:^|\n)data: ?\[DONE\]\s*$/;

function watchedResponse(
  response: Response,
  reader: ReadableStreamDefaultReader<Uint8Array>,
  watched: <T>(wait: Promise<T>) => Promise<T>,
  size: { limit: number; cut: boolean },
  abort: AbortController,
  release: () => void,
): GuardedResponse {
  let bytes = 0;
  let tail = '';
  const stop = (error: unknown) => (release(), abort.abort(error));
  const body = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const { done, value } = await watched(reader.read());
          if (done) return (release(), controller.close());
          bytes += value.byteLength;
          if (bytes > size.limit) {
            if (size.cut) controller.close();
            else controller.error(new TooLarge(size.limit));
            return stop(new TooLarge(size.limit));
          }
          controller.enqueue(value);
          tail = (
            tail +
            Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString(
              'latin1',
              Math.max(0, value.byteLength - 32),
            )
          ).slice(-32);
          if (!END_MARK.test(tail)) return;
          guarded.done = true;
          controller.close();
          release();
          drain(reader, abort);
        } catch (error) {
          release();
          controller.error(error);
        }
      },
      cancel: (reason) => stop(reason),
    },
    { highWaterMark: 0 },
  );
  const guarded = new GuardedResponse(body, {
    status: response.status,
    statusText: response.statusText,
    headers: response.headers,
  });
  return guarded;
}

/**
 * Reads what little follows the end mark, so that the connection can be used again; a server that holds it open loses
 * it.
 */
function drain(reader: ReadableStreamDefaultReader<Uint8Array>, abort: AbortController): void {
  const timer = setTimeout(() => abort.abort(), 250);
  timer.unref();
  const rest = async (): Promise<void> => {
    for (let reads = 0; reads < 16; reads++) if ((await reader.read()).done) return;
    abort.abort();
  };
  rest()
    .catch(() => undefined)
    .finally(() => clearTimeout(timer));
}
