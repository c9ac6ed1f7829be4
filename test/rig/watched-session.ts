import { setTimeout as delay } from 'node:timers/promises';
import type { Fact } from '../../src/session/facts.js';
import type { StepRecord } from '../../src/session/step-record.js';
import type { StepIO } from '../../src/session/step.js';
import type { Link } from '../../src/store/chain.js';
import type { SessionFolder } from '../../src/store/session-store.js';
import { decided } from './decided.js';

const POLL_MS = 10;
const WITHIN_MS = 150_000;

/** A session as its store shows it, cheap to look at again and again: only what is new is read. */
export class WatchedSession {
  private readBytes = 0;
  private startedSeq = -1;

  constructor(
    readonly id: string,
    private readonly folder: SessionFolder,
    /** Id of its first run. */
    readonly firstRun: string,
  ) {}

  get links(): readonly Link[] {
    return this.folder.chain.walk(this.folder.chain.head());
  }

  get records(): StepRecord[] {
    return this.links.map(({ record }) => record);
  }

  /** Number of the step that began last; -1 before the first. */
  get started(): number {
    if (this.folder.eventBytes > this.readBytes) {
      const { events, next } = this.folder.readEvents(this.readBytes);
      this.readBytes = next;
      this.startedSeq = Math.max(this.startedSeq, ...events.map(({ kind, seq }) => (kind === 'step-started' ? seq : -1)));
    }
    return this.startedSeq;
  }

  /** Number of the step that ended last; -1 before the first. */
  get finished(): number {
    return this.links.at(-1)?.record.seq ?? -1;
  }

  /** Ids of the requests that were opened, oldest first. */
  get opened(): string[] {
    return this.records.filter(({ kind }) => kind === 'open').map(({ args }) => (args as unknown as StepIO['open']['args']).request.id);
  }

  get verdicts(): StepIO['close']['args']['verdict'][] {
    return this.records.filter(({ kind }) => kind === 'close').map(({ args }) => (args as unknown as StepIO['close']['args']).verdict);
  }

  facts<K extends Fact['kind']>(kind: K, of: readonly StepRecord[] = this.records): Extract<Fact, { kind: K }>[] {
    return of.flatMap(({ facts }) => facts).filter((fact): fact is Extract<Fact, { kind: K }> => fact.kind === kind);
  }

  /** What was decided in each step but the first, whose limits may differ between sessions that do the same. */
  get decided(): string[] {
    return decided(this.links).slice(1);
  }

  /** Waits until it holds. Throws when it does not come to hold. */
  async until(holds: () => boolean, what: string): Promise<void> {
    for (const deadline = Date.now() + WITHIN_MS; !holds(); await delay(POLL_MS)) if (Date.now() > deadline) throw new Error(`${what} did not come`);
  }

  /** Waits until a request has its verdict. */
  closed(request: string): Promise<void> {
    return this.until(() => this.verdicts.some((verdict) => verdict.request === request), `the verdict of ${request} in ${this.id}`);
  }
}
