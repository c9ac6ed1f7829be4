import { closeSync, constants, fdatasyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { syncFolder, writing } from './file.js';

/** An attempt's activity, as Temporal names it. */
export interface ActivityName {
  /** Of the run of the workflow that has scheduled it. */
  runId: string;
  /** Counted by the workflow, from 1 in each run. */
  activityId: string;
}

/** Above every time in milliseconds, by which steps were ordered before. */
const FIRST = 2 ** 43;
const PER_RUN = 2 ** 20;
/** What a crash cut off has no end. */
const LINE = /^(\S+) (\d+) \.$/gm;

/**
 * The order of a session's steps, told without a clock: runs by when they first came here, activities of a run by the number that the
 * workflow gave them. All attempts of an activity have one number, and whatever was scheduled after it has a higher one.
 */
export class RunOrder {
  private readonly known = new Map<string, number>();

  /** `path` is a file with a line for each run; it is synchronised also where nothing else is, since who loses it is fenced by the past. */
  constructor(private readonly path: string) {}

  /** The number of an activity; that of a run's first one is above `head`, the highest number that is known otherwise. */
  of({ runId, activityId }: ActivityName, head: number): number {
    const run = this.known.get(runId) ?? this.read().get(runId) ?? this.add(runId, Math.floor((head - FIRST) / PER_RUN) + 1);
    this.known.set(runId, run);
    const activity = /^\d{1,15}$/.test(activityId) ? Number(activityId) : 0;
    return FIRST + run * PER_RUN + Math.min(activity, PER_RUN - 1);
  }

  /** Whoever is first decides, of any processes. */
  private add(runId: string, least: number): number {
    const next = Math.max(0, least, ...[...this.read().values()].map((run) => run + 1));
    writing('The order of runs', () => {
      const fd = openSync(this.path, constants.O_CREAT | constants.O_APPEND | constants.O_WRONLY, 0o600);
      try {
        writeSync(fd, `\n${runId} ${next} .\n`);
        fdatasyncSync(fd);
      } finally {
        closeSync(fd);
      }
      syncFolder(dirname(this.path), 'host');
    });
    return this.read().get(runId)!;
  }

  private read(): Map<string, number> {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
      throw error;
    }
    const found = new Map<string, number>();
    for (const [, runId, run] of text.matchAll(LINE)) if (!found.has(runId!)) found.set(runId!, Number(run));
    return found;
  }
}
