/**
 * Sessions that are sent stops, follow-ups and decisions at random moments, each several times over, while workers are killed; and what must
 * be true of each when it is over. The seed names a run: what it decides is which session is sent what, and when, as far as chance is ours.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Decision } from '../../src/session/decision.js';
import type { Fact } from '../../src/session/facts.js';
import type { StepRecord } from '../../src/session/step-record.js';
import type { StepIO } from '../../src/session/step.js';
import { random, type Random } from '../kernel/random.js';
import { decided } from './decided.js';
import type { Processes } from './processes.js';

/** When a message is sent: once a step has begun or ended, or when a worker has died; and then after a pause. */
type Moment = { after: 'step-started' | 'step-finished' | 'death'; seq: number; pauseMs: number };

/** What became of the messages: all of them, those sent while no or one worker had just died, those sent with the end of a turn, where a run may hand over. */
export interface Report {
  seed: number;
  sessions: number;
  messages: number;
  duringDeath: number;
  atBoundary: number;
  /** Messages that had no effect, and said so or came too late. */
  refused: number;
  kills: number;
}

const KINDS = ['stop', 'follow-up', 'decision'] as const;
const POLL_MS = 10;
const QUERY_MS = 50;
const OVER_MS = 150_000;

export class RandomMoments {
  private readonly random: Random;
  private readonly report: Report;
  private readonly references = new Map<number, Promise<string[]>>();
  private died = 0;
  /** Wakes who waits for the next death of a worker; undefined when no more will come. */
  private mourners: (() => void)[] | undefined = [];

  constructor(
    private readonly rig: Processes,
    private readonly seed: number,
  ) {
    this.random = random(seed);
    this.report = { seed, sessions: 0, messages: 0, duringDeath: 0, atBoundary: 0, refused: 0, kills: 0 };
  }

  /** Runs as many sessions of each kind at once, and kills a worker so often while they run. Throws on the first effect that is missing or doubled. */
  async run(ofEachKind: number, kills: number): Promise<Report> {
    for (const cells of [2, 3, 4]) await this.reference(cells);
    const sessions = Array.from({ length: ofEachKind }, () => KINDS).flat().map((kind) => this.session(kind, kills));
    const killed = this.killing(kills);
    const ended = await Promise.allSettled([...sessions, killed]);
    const failed = ended.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
    if (failed.length > 0) throw new Error(failed.map(({ reason }) => (reason as Error).message).join('\n'), { cause: failed[0]!.reason });
    return this.report;
  }

  private async killing(kills: number): Promise<void> {
    for (let i = 0; i < kills; i += 1) {
      await delay(this.random.int(600, 1500));
      const living = this.rig.workers.filter((worker) => worker.signalCode === null);
      const both = i % 2 === 1;
      for (const worker of both ? living : living.slice(0, 1)) await this.rig.kill(worker);
      this.report.kills += 1;
      this.died = Date.now();
      this.mourners?.splice(0).forEach((wake) => wake());
      await delay(this.random.int(0, 1500));
      for (const _ of both ? living : [0]) await this.rig.startWorker();
    }
    this.mourners?.forEach((wake) => wake());
    this.mourners = undefined;
  }

  private session(kind: (typeof KINDS)[number], kills: number): Promise<void> {
    const cells = this.random.int(2, 4);
    const perRun = this.random.int(1, 5);
    const last = 5 + 2 * cells;
    const moments = Array.from({ length: 4 }, (): Moment => {
      const after = (['step-started', 'step-finished', 'step-finished', 'death'] as const)[this.random.int(0, kills > 0 ? 3 : 2)]!;
      return { after, seq: this.random.int(0, last), pauseMs: after === 'death' ? this.random.int(0, 1500) : this.random.chance(0.5) ? 0 : this.random.int(0, 40) };
    });
    const number = (this.report.sessions += 1);
    return this[kind](cells, perRun, moments).catch((error: unknown) => {
      throw new Error(`seed ${this.seed}, session ${number} (${kind}, ${cells} cells, ${perRun} steps a run, ${JSON.stringify(moments)}): ${words(error)}`, { cause: error });
    });
  }

  private async start(cells: number, perRun: number, approval: 'never' | 'final' = 'never'): Promise<string> {
    const { session } = await this.rig.client.start({ prompt: `Please take ${cells} cells.`, strategy: 'react', approval, limits: { stepsPerRun: perRun } });
    return session;
  }

  /** What a session of so many cells decides when nobody disturbs it. */
  private reference(cells: number): Promise<string[]> {
    const known = this.references.get(cells);
    if (known) return known;
    const made = (async () => {
      const session = await this.start(cells, 1000);
      await this.closed(session, 'r1');
      return this.decided(session);
    })();
    this.references.set(cells, made);
    return made;
  }

  private records(session: string): StepRecord[] {
    const { chain } = this.rig.store.at(session);
    return chain.walk(chain.head()).map(({ record }) => record);
  }

  /** Without the opening, which names limits. */
  private decided(session: string): string[] {
    const { chain } = this.rig.store.at(session);
    return decided(chain.walk(chain.head())).slice(1);
  }

  private async closed(session: string, request: string): Promise<void> {
    await this.until(() => closes(this.records(session)).some(({ verdict }) => verdict.request === request), `the end of ${request} in ${session}`);
  }

  private async until(met: () => boolean, what: string): Promise<void> {
    for (const deadline = Date.now() + OVER_MS; !met(); await delay(POLL_MS)) if (Date.now() > deadline) throw new Error(`${what} did not come`);
  }

  /** Waits for a moment, or for the end of the session where it does not come. */
  private async moment(session: string, { after, seq, pauseMs }: Moment): Promise<void> {
    const over = () => closes(this.records(session)).length > 0;
    if (after === 'death') await Promise.race([new Promise<void>((wake) => (this.mourners ? this.mourners.push(wake) : wake())), this.until(over, `an end of ${session}`)]);
    else await this.until(() => over() || this.rig.store.at(session).readEvents().events.some((event) => event.kind === after && event.seq >= seq), `step ${seq} of ${session}`);
    if (pauseMs > 0) await delay(pauseMs);
    this.report.messages += 1;
    if (Date.now() - this.died < 3000) this.report.duringDeath += 1;
    if (after === 'step-finished' && pauseMs === 0) this.report.atBoundary += 1;
  }

  /** Sends until it is taken or refused: a caller that gets no answer in time asks again. */
  private async send(message: () => Promise<unknown>, refusals: readonly string[]): Promise<boolean> {
    for (;;) {
      try {
        await message();
        return true;
      } catch (error) {
        const { code } = error as { code?: string };
        if (code === 'temporal-unavailable') continue;
        if (!refusals.includes(code ?? '')) throw error;
        this.report.refused += 1;
        return false;
      }
    }
  }

  private async stop(cells: number, perRun: number, moments: Moment[]): Promise<void> {
    const session = await this.start(cells, perRun);
    const sent = await Promise.all(moments.slice(0, 2).map(async (moment) => {
      await this.moment(session, moment);
      return this.send(() => this.rig.client.stop(session, 'a'), ['not-found']);
    }));
    await this.closed(session, 'r1');
    await this.rig.temporal.workflow.getHandle(session).result();
    const records = this.records(session);
    const stops = records.filter(({ facts }) => facts.some(({ kind }) => kind === 'stop'));
    const [close, ...more] = closes(records);
    check(more.length === 0 && records.filter(({ kind }) => kind === 'open').length === 1, 'the request was opened or closed twice');
    const reference = await this.reference(cells);
    if (close!.verdict.status === 'stopped') {
      check(close!.verdict.reason === 'stopped by a person', `it stopped as ${close!.verdict.reason}`);
      check(factsOf(records, 'stop').length === 1, `${factsOf(records, 'stop').length} stops are recorded`);
      check(stops[0] === records.at(-1), `the stop is not in the last step: ${records.map(({ seq, kind, facts }) => `${seq} ${kind} ${facts.map((fact) => fact.kind).join('+')}`).join(', ')}`);
      const before = this.decided(session).slice(0, -1);
      // The step that the stop met ends in its own way.
      check(before.slice(0, -1).every((line, i) => line === reference[i]), 'what was done before the stop is not what the session does');
    } else {
      check(close!.verdict.status === 'verified' && stops.length === 0, `it ended ${close!.verdict.status} with ${stops.length} stops recorded`);
      check(this.decided(session).every((line, i) => line === reference[i]), 'it did something else than an undisturbed session');
      if (sent.some(Boolean)) check(await this.stoppedTooLate(session), 'a stop that came before the end had no effect');
      else return;
      this.report.refused += sent.filter(Boolean).length;
    }
  }

  /** Whether every stop in the history came after the verdict. */
  private async stoppedTooLate(session: string): Promise<boolean> {
    let runId = (await this.rig.temporal.workflow.getHandle(session).describe()).raw.workflowExecutionInfo!.firstRunId ?? undefined;
    let closing = false;
    while (runId) {
      const { events } = await this.rig.temporal.workflow.getHandle(session, runId).fetchHistory();
      for (const event of events ?? []) {
        if (event.activityTaskScheduledEventAttributes?.activityType?.name === 'nl2code-close') closing = true;
        if (event.workflowExecutionSignaledEventAttributes?.signalName === 'stop' && !closing) return false;
      }
      runId = events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? undefined;
    }
    return closing;
  }

  private async 'follow-up'(cells: number, perRun: number, moments: Moment[]): Promise<void> {
    const session = await this.start(cells, perRun);
    const idempotencyKey = `again-${session}`;
    const requests = await Promise.all(moments.slice(0, 3).map(async (moment) => {
      await this.moment(session, moment);
      let id = '';
      await this.send(async () => ({ request: { id } } = await this.rig.client.followUp(session, { prompt: `Now take ${cells} cells more.`, idempotencyKey })), []);
      return id;
    }));
    check(new Set(requests).size === 1, 'one key named several requests');
    await this.closed(session, requests[0]!);
    await this.rig.temporal.workflow.getHandle(session).result();
    const records = this.records(session);
    const opened = records.filter(({ kind }) => kind === 'open').map(({ args }) => (args as unknown as StepIO['open']['args']).request.id);
    check(JSON.stringify(opened) === JSON.stringify(['r1', requests[0]]), `opened were ${opened.join(', ')}`);
    check(JSON.stringify(closes(records).map(({ verdict }) => [verdict.request, verdict.status])) === JSON.stringify(opened.map((id) => [id, 'verified'])), 'not every request was verified once');
    const reference = await this.reference(cells);
    const first = this.decided(session).slice(0, reference.length);
    check(JSON.stringify(first) === JSON.stringify(reference), 'the request before it did something else than an undisturbed one');
    check(records.length === 1 + 2 * reference.length, `the session has ${records.length} records`);
  }

  private async decision(cells: number, perRun: number, moments: Moment[]): Promise<void> {
    const session = await this.start(cells, perRun, 'final');
    const early = this.moment(session, moments[0]!).then(() => this.send(() => this.decide(session, 'nothing:c0', { kind: 'approve' }), ['stale-decision', 'not-found']));
    // Both are looked at later.
    early.catch(() => undefined);
    const first = await this.proposal(session, 1);
    const reject: Decision = { kind: 'reject', reason: 'use the median' };
    const rejected = await this.several(session, first, reject, moments[1]!);
    const second = await this.proposal(session, 2);
    // What decided the first must not decide the second.
    const stale = this.several(session, first, reject, { ...moments[2]!, after: 'step-started', seq: 0 });
    stale.catch(() => undefined);
    const approved = await this.several(session, second, { kind: 'approve' }, moments[3]!);
    await this.closed(session, 'r1');
    const late = await stale;
    check(!(await early), 'a decision about nothing was taken');
    check(!late.includes(true), 'a decision was taken twice');
    check(rejected.filter(Boolean).length <= 1 && approved.filter(Boolean).length <= 1, 'two updates about one proposal were taken');
    const records = this.records(session);
    const taken = factsOf(records, 'decision').map(({ proposal, decision }) => [proposal, decision.kind]);
    check(JSON.stringify(taken) === JSON.stringify([[first, 'reject'], [second, 'approve']]), `decided was ${JSON.stringify(taken)}`);
    check(closes(records).length === 1 && closes(records)[0]!.verdict.status === 'verified', 'it was not verified once');
    await this.rig.temporal.workflow.getHandle(session).result();
  }

  /** Two updates and a signal, all of them the same decision. */
  private async several(session: string, proposal: string, decision: Decision, { pauseMs }: Moment): Promise<boolean[]> {
    const at = { after: 'step-started', seq: 0 } as const;
    const messages = [() => this.decide(session, proposal, decision), () => this.decide(session, proposal, decision, 'b')].map(async (message, i) => {
      await this.moment(session, { ...at, pauseMs: pauseMs + i * this.random.int(0, 30) });
      return this.send(message, ['stale-decision', 'not-found']);
    });
    await this.moment(session, { ...at, pauseMs: this.random.int(0, 30) });
    await this.rig.client.signalDecision(session, { proposal, actor: 'c', decision }).catch((error: unknown) => {
      if ((error as Error).name !== 'WorkflowNotFoundError') throw error;
    });
    return Promise.all(messages);
  }

  private decide(session: string, proposal: string, decision: Decision, actor = 'a'): Promise<void> {
    return this.rig.client.decide(session, { proposal, actor, decision });
  }

  /** Id of the nth proposal: the record of its review and the call that handed the script in. */
  private async proposal(session: string, n: number): Promise<string> {
    const { chain } = this.rig.store.at(session);
    const found = (): string | undefined => {
      const links = chain.walk(chain.head());
      const review = links.filter(({ record }) => record.kind === 'review')[n - 1];
      const code = review && links.slice(0, links.indexOf(review)).findLast(({ record }) => record.kind === 'code');
      return code && `${review.hash}:${(code.record.value as unknown as StepIO['code']['value']).calls[0]!.id}`;
    };
    await this.until(() => found() !== undefined, `proposal ${n} of ${session}`);
    const id = found()!;
    // The workflow shows it a moment after its record is there.
    for (const deadline = Date.now() + OVER_MS; (await this.rig.client.snapshot(session))?.proposal?.id !== id; await delay(QUERY_MS)) {
      if (Date.now() > deadline) throw new Error(`proposal ${id} of ${session} is not shown`);
    }
    return id;
  }
}

/** An error with what caused it. */
function words(error: unknown): string {
  return error instanceof Error ? [`${error.name}: ${error.message}`, ...(error.cause === undefined ? [] : [words(error.cause)])].join(' < ') : String(error);
}

function check(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise);
}

const closes = (records: readonly StepRecord[]) => records.filter(({ kind }) => kind === 'close').map(({ args }) => args as unknown as StepIO['close']['args']);
const factsOf = <K extends Fact['kind']>(records: readonly StepRecord[], kind: K) => records.flatMap(({ facts }) => facts).filter((fact): fact is Extract<Fact, { kind: K }> => fact.kind === kind);
