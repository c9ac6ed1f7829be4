import type { CheckpointStore, ListedObject, StoredObject } from './checkpoint-store.js';

/**
 * A checkpoint store for one piece of work: what it is asked for, and each chunk of an object, is waited for only so long and only until the
 * work is ended. What comes later is dropped.
 */
export class ImpatientStore implements CheckpointStore {
  constructor(
    private readonly store: CheckpointStore,
    /** How long nothing may come, in milliseconds. */
    private readonly stillMs: number,
    private readonly signal: AbortSignal,
  ) {}

  get place(): string {
    return this.store.place;
  }

  put(key: string, object: StoredObject): Promise<void> {
    return this.soon(() => this.store.put(key, object));
  }

  async get(key: string): Promise<StoredObject | undefined> {
    const found = await this.soon(() => this.store.get(key));
    return found && { bytes: found.bytes, chunks: this.chunks(found.chunks) };
  }

  list(prefix: string): Promise<ListedObject[]> {
    return this.soon(() => this.store.list(prefix));
  }

  remove(key: string): Promise<void> {
    return this.soon(() => this.store.remove(key));
  }

  tidy(prefix: string): Promise<void> {
    return this.soon(() => this.store.tidy(prefix));
  }

  private async *chunks(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const iterator = chunks[Symbol.asyncIterator]();
    try {
      for (let next = await this.soon(() => iterator.next()); !next.done; next = await this.soon(() => iterator.next())) yield next.value;
    } finally {
      // Not waited for: behind a chunk that never comes it would never end.
      void iterator.return?.()?.catch(() => undefined);
    }
  }

  private async soon<T>(work: () => Promise<T>): Promise<T> {
    const { signal, stillMs } = this;
    signal.throwIfAborted();
    return new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.place} does not answer: nothing came from it for ${stillMs / 1000} s.`)), stillMs);
      const ended = () => reject(signal.reason as Error);
      signal.addEventListener('abort', ended, { once: true });
      void work()
        .then(resolve, reject)
        .finally(() => {
          clearTimeout(timer);
          signal.removeEventListener('abort', ended);
        });
    });
  }
}
