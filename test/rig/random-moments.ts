/**
 * Sessions that are sent stops, follow-ups and decisions at random moments, each several times over, while workers are killed; and what must
 * be true of each when it is over. The seed names a run: it decides which session is sent what, and when, as far as chance is ours.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Decision } from '../../src/session/decision.js';
import type { StepIO } from '../../src/session/step.js';
import { random, type Random } from '../kernel/random.js';
import { Deaths } from './deaths.js';
import type { Processes } from './processes.js';
import { atHandOver, firstRunOf, readRuns, type Entry } from './session-runs.js';
import { WatchedSession } from './watched-session.js';

/** When a message is sent: once a step has begun or ended, or when a worker has died; and then after a pause. */
interface Moment {
  after: 'started' | 'finished' | 'death';
  seq: number;
  pauseMs: number;
}

/** What became of a run of sessions. */
export interface Report {
  seed: number;
  sessions: number;
  messages: number;
  /** Messages sent while a worker was dead and not replaced yet. */
  duringDeath: number;
  /** Messages in the histories that came while one run handed over to the next. */
  atBoundary: number;
  /** Messages that had no effect and whose sender was told so, or that came after the verdict. */
  refused: number;
  /** Workers that were killed, and that ended by themselves. */
  killed: number;
  ownDeaths: number;
  /** Workflow tasks that failed since a message came with the end of a run, that took too long, and that nobody answered in time. */
  failedTasks: number;
  slowTasks: number;
  lostTasks: number;
}

const KINDS = ['stop', 'follow-up', 'decision', 'both'] as const;
const QUERY_MS = 50;
const WITHIN_MS = 150_000;
/** What a workflow task may fail with. Any other reason is an error of the workflow. */
const HAND_OVER = 'UnhandledCommand';
const SLOW = /^Script execution timed out after/;

export class RandomMoments {
  private readonly random: Random;
  private readonly deaths: Deaths;
  private readonly report: Report;
  private readonly references = new Map<number, Promise<string[]>>();

  constructor(
    private readonly rig: Processes,
    private readonly seed: number,
  ) {
    this.random = random(seed);
    this.deaths = new Deaths(rig, this.random);
    this.report = { seed, sessions: 0, messages: 0, duringDeath: 0, atBoundary: 0, refused: 0, killed: 0, ownDeaths: 0, failedTasks: 0, slowTasks: 0, lostTasks: 0 };
  }

  /** Runs as many sessions of each kind at once, and kills workers so often while they run. Throws all effects that are missing, wrong or doubled. */
  async run(ofEachKind: number, kills: number): Promise<Report> {
    for (const cells of [2, 3, 4]) await this.reference(cells);
    const sessions = Array.from({ length: ofEachKind }, () => KINDS).flat().map((kind) => this.session(kind));
    const ended = await this.deaths.during(Promise.allSettled(sessions), kills);
    this.report.killed = this.deaths.killed;
    this.report.ownDeaths = this.deaths.own;
    const failed = ended.filter((end) => end.status === 'rejected');
    if (failed.length > 0) throw new Error(`${failed.map(({ reason }) => (reason as Error).message).join('\n')}\n${JSON.stringify(this.report)}`, { cause: failed[0]!.reason });
    return this.report;
  }

  private async session(kind: (typeof KINDS)[number]): Promise<void> {
    const cells = this.random.int(2, 4);
    const perRun = this.random.int(1, 5);
    const last = 5 + 2 * cells;
    const moments = Array.from({ length: 4 }, (): Moment => {
      const after = (['started', 'finished', 'finished', 'death'] as const)[this.random.int(0, 3)]!;
      return { after, seq: this.random.int(0, last), pauseMs: after === 'death' ? this.random.int(0, 1500) : this.random.chance(0.5) ? 0 : this.random.int(0, 40) };
    });
    const number = (this.report.sessions += 1);
    try {
      const session = await this.start(cells, perRun, kind === 'decision' ? 'final' : 'never');
      await this[kind](session, cells, moments);
    } catch (error) {
      throw new Error(`seed ${this.seed}, session ${number} (${kind}, ${cells} cells, ${perRun} steps a run, ${JSON.stringify(moments)}): ${words(error)}`, { cause: error });
    }
  }

  private async start(cells: number, perRun: number, approval: 'never' | 'final' = 'never'): Promise<WatchedSession> {
    const { session } = await this.rig.client.start({ prompt: `Please take ${cells} cells.`, strategy: 'react', approval, limits: { stepsPerRun: perRun } });
    return new WatchedSession(session, this.rig.store.at(session), await firstRunOf(this.rig.temporal.workflow, session));
  }

  /** What a session of so many cells decides when nobody disturbs it. */
  private reference(cells: number): Promise<string[]> {
    const known = this.references.get(cells);
    if (known) return known;
    const made = this.start(cells, 1000).then(async (session) => {
      await session.closed('r1');
      return session.decided;
    });
    this.references.set(cells, made);
    return made;
  }

  /** Waits for a moment, or for the first verdict of the session where it does not come. */
  private async moment(session: WatchedSession, { after, seq, pauseMs }: Moment): Promise<void> {
    const met = () => session.verdicts.length > 0 || (after !== 'death' && session[after] >= seq);
    const came = session.until(met, `step ${seq} of ${session.id}`);
    await (after === 'death' ? Promise.race([this.deaths.next(), came]) : came);
    if (pauseMs > 0) await delay(pauseMs);
    this.report.messages += 1;
    if (this.deaths.missing > 0) this.report.duringDeath += 1;
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

  /** Waits for the end of the last run, and reads all of them. What Temporal had to do again must be what a message or a death makes it do again. */
  private async over(session: WatchedSession): Promise<Entry[]> {
    await this.rig.temporal.workflow.getHandle(session.id).result();
    const { entries, failedTasks, lostTasks } = await readRuns(this.rig.temporal.workflow, session.id, session.firstRun);
    this.report.atBoundary += atHandOver(entries);
    this.report.lostTasks += lostTasks;
    for (const why of failedTasks) {
      check(why === HAND_OVER || SLOW.test(why), `a workflow task failed: ${why}`);
      this.report[why === HAND_OVER ? 'failedTasks' : 'slowTasks'] += 1;
    }
    return entries;
  }

  private stopper(session: WatchedSession): (moment: Moment) => Promise<boolean> {
    return async (moment) => {
      await this.moment(session, moment);
      return this.send(() => this.rig.client.stop(session.id, 'a'), ['not-found']);
    };
  }

  /** One follow-up, sent as often as there are moments; gives its id. */
  private async follow(session: WatchedSession, cells: number, moments: Moment[]): Promise<string> {
    const idempotencyKey = `again-${session.id}`;
    const ids = await Promise.all(
      moments.map(async (moment) => {
        await this.moment(session, moment);
        let id = '';
        await this.send(async () => ({ request: { id } } = await this.rig.client.followUp(session.id, { prompt: `Now take ${cells} cells more.`, idempotencyKey })), []);
        return id;
      }),
    );
    check(new Set(ids).size === 1, 'one key named several requests');
    return ids[0]!;
  }

  private async stop(session: WatchedSession, cells: number, moments: Moment[]): Promise<void> {
    const sent = await Promise.all(moments.slice(0, 2).map(this.stopper(session)));
    await session.closed('r1');
    const entries = await this.over(session);
    check(count(entries, 'signal', 'stop') >= sent.filter(Boolean).length, 'a stop that was taken is in no history');
    check(same(session.opened, ['r1']) && session.verdicts.length === 1, 'the request was opened or closed twice');
    await this.stoppedAsSent(session, entries, cells);
  }

  /** A request that is alone: it is stopped when a stop came before its verdict, once, and else does what it does undisturbed. */
  private async stoppedAsSent(session: WatchedSession, entries: Entry[], cells: number): Promise<void> {
    const [verdict] = session.verdicts;
    const reference = await this.reference(cells);
    const at = indexOf(entries, 'signal', 'stop');
    const stops = session.facts('stop');
    const { records, decided } = session;
    const shape = () => records.map(({ seq, kind, facts }) => `${seq} ${kind} ${facts.map((fact) => fact.kind).join('+')}`).join(', ');
    if (at < 0 || at > indexOf(entries, 'step', 'close')) {
      check(verdict!.status === 'verified' && stops.length === 0, `nothing stopped it in time, and it ended ${verdict!.status} with ${stops.length} stops recorded`);
      check(same(decided, reference), 'it did something else than an undisturbed session');
      this.report.refused += count(entries, 'signal', 'stop');
      return;
    }
    check(verdict!.status === 'stopped' && verdict!.reason === 'stopped by a person', `a stop came in time, and it ended ${verdict!.status}: ${verdict!.reason}`);
    check(stops.length === 1, `${stops.length} stops are recorded`);
    // A stop that comes before the opening is told with it, and then nothing is done.
    const early = at < indexOf(entries, 'step', 'open');
    check(session.facts('stop', [early ? records[0]! : records.at(-1)!]).length === 1, `the stop is in another step than the ${early ? 'first' : 'last'}: ${shape()}`);
    check(!early || records.length === 2, `something was done after a stop before the opening: ${shape()}`);
    // The step that the stop met ends in its own way.
    check(decided.slice(0, -2).every((line, i) => line === reference[i]), `what was done before the stop is not what the session does: ${shape()}`);
  }

  private async 'follow-up'(session: WatchedSession, cells: number, moments: Moment[]): Promise<void> {
    const id = await this.follow(session, cells, moments.slice(0, 3));
    await session.closed(id);
    checkQueued(await this.over(session));
    check(same(session.opened, ['r1', id]), `opened were ${session.opened.join(', ')}`);
    check(same(session.verdicts.map(({ request, status }) => [request, status]), [['r1', 'verified'], [id, 'verified']]), 'not every request was verified once');
    const reference = await this.reference(cells);
    check(same(session.decided.slice(0, reference.length), reference), 'the request before it did something else than an undisturbed one');
    // A follow-up does not inspect the inputs anew.
    check(session.records.length === 1 + 2 * reference.length, `the session has ${session.records.length} records`);
  }

  /** A follow-up and stops: a stop ends what runs and what waits when it comes, and nothing else. */
  private async both(session: WatchedSession, cells: number, moments: Moment[]): Promise<void> {
    const [id] = await Promise.all([this.follow(session, cells, moments.slice(0, 2)), ...moments.slice(2).map(this.stopper(session))]);
    await session.closed(id);
    const entries = await this.over(session);
    checkQueued(entries);
    check(same(session.opened, ['r1', id]), `opened were ${session.opened.join(', ')}`);
    check(same(session.verdicts.map(({ request }) => request), ['r1', id]), 'not every request was closed once');
    const [first, second] = entries.flatMap((entry, i) => (entry.what === 'step' && entry.step === 'close' ? [i] : []));
    // Of a run that the follow-up started, it is the request from the beginning.
    const begun = entries.findIndex((entry, i) => i > 0 && entry.what === 'begin' && !entry.continued);
    const taken = Math.min(...[indexOf(entries, 'update', 'followUp'), begun].filter((i) => i >= 0));
    const stopped = (from: number, to: number) => entries.some((entry, i) => i > from && i < to && entry.what === 'signal' && entry.name === 'stop');
    const expected = [stopped(-1, first!), stopped(taken, second!)].map((is) => (is ? 'stopped' : 'verified'));
    const ended = session.verdicts.map(({ status }) => status);
    check(same(ended, expected), `the requests ended ${ended.join(' and ')}, but the stops came for ${expected.join(' and ')}: ${entries.map((entry) => Object.values(entry).join(' ')).join(', ')}`);
    const split = session.records.findLastIndex(({ kind }) => kind === 'open');
    const stops = [session.records.slice(0, split), session.records.slice(split)].map((records) => session.facts('stop', records).length);
    check(stops.every((n, i) => n === Number(expected[i] === 'stopped')), `of requests that ended ${ended.join(' and ')}, ${stops.join(' and ')} stops are recorded`);
  }

  private async decision(session: WatchedSession, _cells: number, moments: Moment[]): Promise<void> {
    const early = this.aboutNothing(session, moments[0]!);
    // Both are looked at later.
    early.catch(() => undefined);
    const first = await this.proposal(session, 1);
    const reject: Decision = { kind: 'reject', reason: 'use the median' };
    const rejected = await this.several(session, first, reject, moments[1]!);
    const second = await this.proposal(session, 2);
    // What decided the first must not decide the second.
    const repeated = this.several(session, first, reject, moments[2]!);
    repeated.catch(() => undefined);
    const approved = await this.several(session, second, { kind: 'approve' }, moments[3]!);
    await session.closed('r1');
    const again = await repeated;
    await early;
    const entries = await this.over(session);
    const taken = session.facts('decision');
    check(same(taken.map(({ proposal, decision }) => [proposal, decision.kind]), [[first, 'reject'], [second, 'approve']]), `decided was ${JSON.stringify(taken)}`);
    // The answer of an update says what it did: a repeated one is given its first answer as long as that run goes on.
    const [by, then] = taken.map(({ actor }) => actor);
    check([...rejected, ...again].every((actor) => actor === by), `${by} rejected, and taken were updates of ${[...rejected, ...again].join(', ')}`);
    check(approved.every((actor) => actor === then), `${then} approved, and taken were updates of ${approved.join(', ')}`);
    const inTime = entries.slice(0, indexOf(entries, 'step', 'close'));
    const recorded = session.facts('ignored-decision').length + taken.filter(({ actor }) => actor === 'c').length;
    check(count(inTime, 'signal', 'decide') === recorded, `${count(inTime, 'signal', 'decide')} signals came in time, and ${recorded} are recorded`);
    check(count(entries, 'update', 'decide') === taken.filter(({ actor }) => actor !== 'c').length, 'an update was taken that decided nothing');
    check(session.verdicts.length === 1 && session.verdicts[0]!.status === 'verified', 'it was not verified once');
  }

  /** Updates of `a` and of `b` and a signal of `c`, all of them the same decision, and one about nothing; gives the actors whose updates were taken. */
  private async several(session: WatchedSession, proposal: string, decision: Decision, moment: Moment): Promise<string[]> {
    const at = (): Moment => ({ ...moment, seq: 0, pauseMs: moment.pauseMs + this.random.int(0, 30) });
    const updates = ['a', 'b'].map(async (actor) => {
      await this.moment(session, at());
      return (await this.send(() => this.decide(session, proposal, decision, actor), ['stale-decision', 'not-found'])) ? [actor] : [];
    });
    const nothing = this.aboutNothing(session, at());
    const signal = this.moment(session, at()).then(() => this.send(() => this.signal(session, proposal, decision), ['not-found']));
    const [taken] = await Promise.all([Promise.all(updates), signal, nothing]);
    return taken.flat();
  }

  /** A decision about a proposal that never was: nobody may take it for one about what waits. */
  private async aboutNothing(session: WatchedSession, moment: Moment): Promise<void> {
    await this.moment(session, moment);
    check(!(await this.send(() => this.decide(session, 'nothing:c0', { kind: 'approve' }), ['stale-decision', 'not-found'])), 'a decision about nothing was taken');
  }

  private decide(session: WatchedSession, proposal: string, decision: Decision, actor = 'a'): Promise<void> {
    return this.rig.client.decide(session.id, { proposal, actor, decision });
  }

  private signal(session: WatchedSession, proposal: string, decision: Decision): Promise<void> {
    return this.rig.client.signalDecision(session.id, { proposal, actor: 'c', decision });
  }

  /** Id of the nth proposal: the record of its review and the call that handed the script in. */
  private async proposal(session: WatchedSession, n: number): Promise<string> {
    const found = (): string | undefined => {
      const { links } = session;
      const review = links.filter(({ record }) => record.kind === 'review')[n - 1];
      const code = review && links.slice(0, links.indexOf(review)).findLast(({ record }) => record.kind === 'code');
      return code && `${review.hash}:${(code.record.value as unknown as StepIO['code']['value']).calls[0]!.id}`;
    };
    await session.until(() => found() !== undefined, `proposal ${n} of ${session.id}`);
    const id = found()!;
    // The workflow shows it a moment after its record is there.
    for (const deadline = Date.now() + WITHIN_MS; (await this.rig.client.snapshot(session.id))?.proposal?.id !== id; await delay(QUERY_MS)) {
      check(session.records.at(-1)!.kind === 'review', `proposal ${n} of ${session.id} was decided before it was shown`);
      check(Date.now() < deadline, `proposal ${n} of ${session.id} is not shown`);
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

/** Runs that go on from each other take a request on once, however often it is sent: the store would answer it, but nobody may ask. */
function checkQueued(entries: readonly Entry[]): void {
  const begun = entries.findIndex((entry, i) => i > 0 && entry.what === 'begin' && !entry.continued);
  const [first, later] = [entries.slice(0, begun < 0 ? undefined : begun), begun < 0 ? [] : entries.slice(begun)].map((runs) => count(runs, 'step', 'open'));
  const taken = count(entries.slice(0, begun < 0 ? undefined : begun), 'update', 'followUp') > 0;
  check(first === (taken ? 2 : 1) && later === (begun < 0 ? 0 : 1), `the follow-up was queued more than once: ${first} and ${later} requests were opened`);
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
const matches = (entry: Entry, what: Entry['what'], name: string): boolean => entry.what === what && ('step' in entry ? entry.step : 'name' in entry ? entry.name : '') === name;
const indexOf = (entries: readonly Entry[], what: Entry['what'], name: string): number => entries.findIndex((entry) => matches(entry, what, name));
const count = (entries: readonly Entry[], what: Entry['what'], name: string): number => entries.filter((entry) => matches(entry, what, name)).length;
