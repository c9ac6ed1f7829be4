import { Nl2codeError } from '../session/error-table.js';
import type { CheckpointStore, ListedObject } from '../store/checkpoint-store.js';
import { lineagesIn, type RemoteManifest } from './remote-checkpoint.js';

/** States stay when the sandbox has taken them back, so there may be more in the store than on the disk. */
const TIMES_THE_DISK = 2;
/** Where anything is younger, nothing is removed: somebody else may be about to name what lies beside it. */
const LEFT_ALONE_MS = 24 * 3_600_000;

/** Bytes that a session may have in a store at most. Pure. */
export const mostRemoteBytes = (diskBytes: number): number => TIMES_THE_DISK * diskBytes;

/** What the folder that is being shipped has itself. */
export interface StillLocal {
  /** Its lineage. */
  lineage: string;
  manifests: readonly RemoteManifest[];
  /** Names of its segments. */
  segments: ReadonlySet<string>;
}

/**
 * The room that a session has in a store. When it is used up, what the sandbox's own folder does not have any more is removed, manifests before
 * segments; until then nothing is.
 */
export class RemoteRoom {
  private used: number;
  private trimmed = false;

  constructor(
    private readonly store: CheckpointStore,
    private readonly diskBytes: number,
    /** All that the session has in the store. */
    private readonly objects: readonly ListedObject[],
    private readonly local: StillLocal,
  ) {
    this.used = bytesIn(objects);
  }

  /** Throws where there is no room for so many bytes more. */
  async take(bytes: number): Promise<void> {
    const most = mostRemoteBytes(this.diskBytes);
    if (this.used + bytes > most && !this.trimmed) {
      this.trimmed = true;
      this.used -= await this.trim();
    }
    if (this.used + bytes > most) {
      throw new Nl2codeError('store-full', `Its states would come to more than ${most} bytes there, ${TIMES_THE_DISK} times its disk limit: delete variables or files that are no longer needed, or give its requests a higher limits.diskBytes.`, { remedy: '' });
    }
    this.used += bytes;
  }

  /** Returns how many bytes are free now. */
  private async trim(): Promise<number> {
    const removed: ListedObject[] = [];
    const kept = new Set(this.local.manifests.map(({ object }) => object.key));
    for (const { id, manifests, segments, identity } of lineagesIn(this.objects)) {
      const own = id === this.local.lineage;
      const gone = manifests.filter(({ object }) => !own || !kept.has(object.key)).sort((a, b) => b.k - a.k);
      const orphans = [...segments].flatMap(([name, object]) => (own && this.local.segments.has(name) ? [] : [object]));
      const all = [...gone.map(({ object }) => object), ...orphans, ...(own || !identity ? [] : [identity])];
      // Newest manifest first, so that what one builds on is there as long as it is.
      if (all.every(({ putAt }) => Date.now() - putAt > LEFT_ALONE_MS)) removed.push(...all);
    }
    for (const { key } of removed) await this.store.remove(key);
    return bytesIn(removed);
  }
}

const bytesIn = (objects: readonly ListedObject[]): number => objects.reduce((sum, { bytes }) => sum + bytes, 0);
