import type { ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../kernel/random.js';
import type { Processes } from './processes.js';

/**
 * Kills workers at random moments, and replaces every worker that dies, whatever it died of, as the host of `up` does: a worker that ends
 * by itself is one more death, and nothing else.
 */
export class Deaths {
  /** Workers we killed, and those that ended by themselves. */
  killed = 0;
  own = 0;
  /** Workers that are dead and not replaced yet. */
  missing = 0;
  private over = false;
  private readonly condemned = new Set<ChildProcess>();
  private readonly replacements = new Set<Promise<void>>();
  /** Wake who waits for the next death; undefined when we kill no more. */
  private waiting: (() => void)[] | undefined = [];

  constructor(
    private readonly rig: Processes,
    private readonly random: Random,
  ) {}

  /** Kills so often while `living` is not settled, one worker and all of them in turn, and keeps workers there until it is. */
  async during<T>(living: Promise<T>, kills: number): Promise<T> {
    for (const worker of this.rig.workers) this.keep(worker);
    const ended = living.then(
      () => void (this.over = true),
      () => void (this.over = true),
    );
    try {
      for (let i = 0; i < kills && !this.over; i += 1) {
        await Promise.race([delay(this.random.int(600, 1500)).then(() => this.complete()), ended]);
        const workers = this.rig.workers.filter((worker) => worker.exitCode === null && worker.signalCode === null);
        if (!this.over) await Promise.all(workers.slice(0, i % 2 === 0 ? 1 : undefined).map((worker) => (this.condemned.add(worker), this.rig.kill(worker))));
      }
      this.waiting?.splice(0).forEach((wake) => wake());
      this.waiting = undefined;
      return await living;
    } finally {
      await ended;
      await this.complete();
    }
  }

  /** Resolves with the next death, at once when no worker is killed any more. */
  next(): Promise<void> {
    return new Promise((wake) => (this.waiting ? this.waiting.push(wake) : wake()));
  }

  /** Resolves when every worker that died is replaced. */
  private async complete(): Promise<void> {
    while (this.replacements.size > 0) await Promise.allSettled(this.replacements);
  }

  private keep(worker: ChildProcess): void {
    const died = () => {
      if (this.over) return;
      const replaced = this.replace(worker);
      this.replacements.add(replaced);
      void replaced.finally(() => this.replacements.delete(replaced));
    };
    if (worker.exitCode !== null || worker.signalCode !== null) died();
    else worker.once('exit', died);
  }

  private async replace(dead: ChildProcess): Promise<void> {
    this.missing += 1;
    const wasKilled = this.condemned.has(dead);
    this[wasKilled ? 'killed' : 'own'] += 1;
    this.waiting?.splice(0).forEach((wake) => wake());
    if (wasKilled) await delay(this.random.int(0, 1500));
    while (!this.over) {
      const next = await this.rig.startWorker().catch(() => undefined);
      if (next) {
        this.missing -= 1;
        return this.keep(next);
      }
      this.own += 1;
    }
  }
}
