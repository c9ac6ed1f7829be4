import type { Hash } from './json.js';

/** How a request ended. CLI exit codes: 0 verified, 1 failed, 2 unverified, 3 rejected, 4 stopped. */
export type Status = 'verified' | 'unverified' | 'rejected' | 'stopped' | 'failed';

/** The small end of a request, carried by the workflow; the whole `Result` is read from the chain. */
export interface Verdict {
  request: string;
  status: Status;
  reason?: string;
  /** The final script's blob. */
  script?: Hash;
}
