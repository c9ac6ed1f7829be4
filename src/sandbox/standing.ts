import { join } from 'node:path';
import { keptEpoch } from './journal-epoch.js';
import { manifestNumbers } from './manifests.js';
import { readRunState, supervisorAlive } from './process/run-state.js';

/**
 * How a sandbox's folder stood when somebody began to replace it: its states, its sandbox, and who spoke to that last. An attempt that slept
 * meanwhile learns here that a newer one has taken over. Host side.
 */
export class Standing {
  private readonly states: string;
  private readonly sandbox: string;
  private readonly epoch: string;

  constructor(private readonly folder: string) {
    [this.states, this.sandbox, this.epoch] = [statesOf(folder), sandboxOf(folder), epochOf(folder)];
  }

  /** Whether anything is otherwise now. `ended`: its sandbox was ended by who asks. */
  moved(ended = false): boolean {
    if (statesOf(this.folder) !== this.states || epochOf(this.folder) !== this.epoch) return true;
    const now = sandboxOf(this.folder);
    return ended ? now !== '' && (now !== this.sandbox || runs(this.folder)) : now !== this.sandbox;
  }
}

/** Whether a sandbox runs in a folder. */
export function runs(folder: string): boolean {
  const state = readRunState(folder);
  return state !== null && state.endedBecause === null && supervisorAlive(state);
}

function statesOf(folder: string): string {
  return manifestNumbers(join(folder, 'checkpoint', 'manifests')).join();
}

function sandboxOf(folder: string): string {
  const state = readRunState(folder);
  return state === null ? '' : JSON.stringify([state.bootId, state.pid, state.startTime]);
}

const epochOf = (folder: string): string => String(keptEpoch(folder));
