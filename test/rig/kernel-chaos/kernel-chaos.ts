/**
 * Sessions of random cells that run on real workers, a real server and real sandboxes while all of them are killed, compared cell by cell with
 * the same cells in a kernel that nobody disturbs. Owns its processes (`Processes`) and the effects process; the seed names the blows and the
 * cells, when a blow lands within a cell is the machine's.
 */
import { mkdirSync, existsSync, rmSync, writeFileSync, chmodSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { CellObservation } from '../../../src/session/observation.js';
import type { SessionEvent } from '../../../src/session/event.js';
import { random } from '../../kernel/random.js';
import { alive, children, Processes } from '../processes.js';
import { blowsOf, COMMIT_POINTS, GUEST_POINTS, type Blow, type Point, type Target } from './blows.js';
import { Effects } from './effects.js';
import { playbookOf, wordOf } from './playbook.js';
import { undisturbed } from './reference.js';
import { sessionCells, type SessionCells } from './session-cells.js';
import { differences, type Seen } from './seen.js';

export interface ChaosOptions {
  /** Of the first session; the next has the next number. */
  seed: number;
  sessions: number;
  cells: number;
  /** Sessions that share a server, workers and their deaths. */
  atOnce: number;
  /** Rounds of blows in each session; 1 when missing. */
  rounds?: number;
  /** Number of the first session, which decides what befalls it; 0 when missing. */
  first?: number;
  /** Package whose workers run, if not this one: for showing that what is broken is seen. */
  root?: string;
}

export interface ChaosReport {
  sessions: number;
  cells: number;
  /** By target and phase; only those that hit something alive. */
  kills: Map<string, number>;
  points: Map<Point, number>;
  /** Effective kills of each session. */
  perSession: number[];
  midCell: number[];
  midCommit: number[];
  differences: string[];
  ms: number;
}

/** The model that plays knows its place by what it has said, so none of that may be shortened. */
const WINDOW_TOKENS = 10_000_000;
const POLL_MS = 4;
const SESSION_MS = 120_000;
const CELL_MS = 500;

/** Runs all sessions, some at once. Differences are data, never thrown. */
export async function runKernelChaos(options: ChaosOptions): Promise<ChaosReport> {
  const began = Date.now();
  const plans = Array.from({ length: options.sessions }, (_, n) => sessionCells(options.seed + n, options.cells));
  const report: ChaosReport = { sessions: plans.length, cells: options.cells, kills: new Map(), points: new Map(), perSession: [], midCell: [], midCommit: [], differences: [], ms: 0 };
  for (let from = 0; from < plans.length; from += options.atOnce) await new Storm(options, report, plans.slice(from, from + options.atOnce), (options.first ?? 0) + from).run();
  report.ms = Date.now() - began;
  return report;
}

/** One server and its workers, and the sessions that live through their deaths. */
class Storm {
  private readonly effects: Effects;
  private readonly rig: Processes;
  /** One death at a time of what sessions share. */
  private shared: Promise<void> = Promise.resolve();

  constructor(
    private readonly options: ChaosOptions,
    private readonly report: ChaosReport,
    private readonly plans: readonly SessionCells[],
    private readonly first: number,
  ) {
    this.rig = new Processes({}, undefined, { playbooks: plans.map(playbookOf), root: options.root, tools: ['append'], contextTokens: WINDOW_TOKENS });
    this.effects = new Effects(join(this.rig.dir, 'effects.jsonl'));
  }

  async run(): Promise<void> {
    try {
      await this.effects.start();
      Object.assign(this.rig.env, { NL2CODE_TEST_EFFECTS: this.effects.url, NL2CODE_TEST_DIE_AFTER_EXECUTE: join(this.rig.dir, 'die-after-execute') });
      await this.rig.start(2);
      const calm = undisturbed(this.rig.config, this.plans);
      calm.catch(() => undefined);
      const ended = await Promise.allSettled(this.plans.map((plan, n) => this.session(plan, this.first + n, calm)));
      ended.forEach((end, n) => {
        if (end.status === 'rejected') this.report.differences.push(`seed ${this.plans[n]!.seed}: ${(end.reason as Error).stack ?? String(end.reason)}`);
      });
    } finally {
      await this.effects.stop();
      await this.rig.stop();
    }
  }

  private async session(plan: SessionCells, nth: number, calm: Promise<Map<number, Seen>>): Promise<void> {
    const blows = blowsOf(plan, random(plan.seed ^ 0x5eed), nth, this.options.rounds);
    const { session } = await this.rig.client.start({ prompt: `Run ${wordOf(plan)}.`, strategy: 'codeact', approval: 'never', exposure: 'full', tools: ['append'], budget: { maxSteps: 2 * plan.cells.length + 4 } });
    // The storm uses them up.
    const words = blows.map(wordsOf).join(', ');
    const storm = new Weather(session, this.rig, this.effects, blows, this.report, (turn) => (this.shared = this.shared.then(turn)));
    const over = new AbortController();
    const blowing = storm.blow(over.signal);
    const limitMs = SESSION_MS + plan.cells.length * CELL_MS;
    const end = await Promise.race([this.rig.end(session), delay(limitMs, null, { ref: false })]);
    over.abort();
    await blowing;
    if (end === null) throw new Error(`not over after ${limitMs / 1000} s; last event ${JSON.stringify(this.rig.store.at(session).readEvents().events.at(-1))}`);
    this.report.perSession.push(storm.effective);
    this.report.midCell.push(storm.midCell);
    this.report.midCommit.push(storm.midCommit);
    const { chain, blobs } = this.rig.store.at(session);
    const cells = chain.walk(chain.head()).filter(({ record }) => record.kind === 'execute').map(({ record }) => JSON.parse(blobs.text(record.refs.observation!)) as CellObservation);
    const seen: Seen = { cells, effects: this.effects.of(session) };
    const reference = (await calm).get(plan.seed)!;
    for (const difference of differences(plan, reference, seen)) this.report.differences.push(`seed ${plan.seed} (${words}): ${difference}`);
  }
}

const wordsOf = (blow: Blow) => `${blow.kind === 'kill' ? blow.target : blow.point}@${blow.cell}+${blow.pauseMs}`;

/** What happens to one session. */
class Weather {
  effective = 0;
  midCell = 0;
  midCommit = 0;
  private offset = 0;
  /** Number of the newest cell that has begun, and whether it has ended. */
  private cell = -1;
  private running = false;
  private readonly seqs: number[] = [];
  private readonly armed = new Map<Point, string>();

  constructor(
    private readonly session: string,
    private readonly rig: Processes,
    private readonly effects: Effects,
    private readonly blows: Blow[],
    private readonly report: ChaosReport,
    private readonly alone: (turn: () => Promise<void>) => Promise<void>,
  ) {}

  async blow(over: AbortSignal): Promise<void> {
    const folder = join(this.rig.store.at(this.session).sandbox, 'checkpoint', 'fail-points');
    let last: SessionEvent | undefined;
    while (!over.aborted) {
      const { events, next } = this.rig.store.at(this.session).readEvents(this.offset);
      this.offset = next;
      for (const event of events) last = this.notice(event) ?? last;
      this.collect();
      const due = this.blows.filter((blow) => blow.cell <= this.cell);
      for (const blow of due) {
        this.blows.splice(this.blows.indexOf(blow), 1);
        if (blow.pauseMs) await delay(blow.pauseMs);
        if (blow.kind === 'point') this.arm(blow.point, folder);
        else await this.kill(blow.target, last);
      }
      await delay(POLL_MS);
    }
    this.collect();
    for (const path of this.armed.values()) rmSync(path, { force: true });
  }

  private notice(event: SessionEvent): SessionEvent | undefined {
    if (event.step !== 'execute') return undefined;
    if (event.kind === 'step-started') {
      if (!this.seqs.includes(event.seq)) this.seqs.push(event.seq);
      // The first is the look at the inputs.
      this.cell = this.seqs.length - 2;
      this.running = true;
    } else if (event.kind === 'step-finished') this.running = false;
    return event;
  }

  private arm(point: Point, folder: string): void {
    if (point === 'effect-done-answer-lost') return void this.armed.set(point, this.effects.arm());
    if (point === 'reply-stored-worker-dead') {
      const path = join(this.rig.dir, 'die-after-execute');
      writeFileSync(path, '');
      return void this.armed.set(point, path);
    }
    mkdirSync(folder, { recursive: true });
    // The guest is another user.
    chmodSync(folder, 0o777);
    const path = join(folder, point);
    writeFileSync(path, '');
    this.armed.set(point, path);
  }

  /** Counts the points that have been hit. */
  private collect(): void {
    for (const [point, path] of this.armed) {
      if (existsSync(path)) continue;
      this.armed.delete(point);
      this.report.points.set(point, (this.report.points.get(point) ?? 0) + 1);
      this.effective += 1;
      const phase = COMMIT_POINTS.includes(point as never) ? 'mid-commit' : 'mid-cell';
      if (phase === 'mid-commit') this.midCommit += 1;
      else this.midCell += 1;
      this.count(GUEST_POINTS.includes(point as never) ? 'guest, by itself' : point === 'effect-done-answer-lost' ? 'effects' : 'worker', phase);
      if (point === 'reply-stored-worker-dead') void this.alone(() => this.enough());
    }
  }

  private async kill(target: Target, last: SessionEvent | undefined): Promise<void> {
    const phase = this.running ? 'mid-cell' : 'between cells';
    const hit = await this.strike(target, last);
    if (!hit) return;
    this.effective += 1;
    if (this.running && phase === 'mid-cell') this.midCell += 1;
    this.count(target, phase);
  }

  private async strike(target: Target, last: SessionEvent | undefined): Promise<boolean> {
    if (target === 'worker') {
      const worker = last && this.rig.workers.find(({ pid }) => pid === (last.data as { worker?: number } | undefined)?.worker);
      const victim = worker && worker.signalCode === null ? worker : this.rig.workers.find(({ signalCode }) => signalCode === null);
      if (!victim) return false;
      await this.alone(async () => {
        await this.rig.kill(victim);
        await this.enough();
      });
      return true;
    }
    if (target === 'server') {
      await this.alone(async () => {
        process.kill(this.rig.server.process.current!.pid, 'SIGKILL');
        await delay(1_000);
      });
      return true;
    }
    if (target === 'effects') {
      await this.alone(() => this.effects.restart());
      return true;
    }
    return hitGuest(this.rig, this.session, target);
  }

  /** Two workers live. */
  private async enough(): Promise<void> {
    while (this.rig.workers.filter(({ signalCode, exitCode }) => signalCode === null && exitCode === null).length < 2) await this.rig.startWorker();
  }

  private count(target: string, phase: string): void {
    const key = `${target} | ${phase}`;
    this.report.kills.set(key, (this.report.kills.get(key) ?? 0) + 1);
  }
}

function hitGuest(rig: Processes, session: string, target: 'kernel' | 'init' | 'zygote' | 'supervisor'): boolean {
  let pid: number | undefined;
  try {
    const { supervisor, child } = rig.sandboxPids(session);
    const [zygote, ...others] = children(child);
    pid = { kernel: others.at(-1), init: child, zygote, supervisor }[target];
  } catch {
    return false;
  }
  if (!pid || !alive(pid)) return false;
  try {
    process.kill(pid, 'SIGKILL');
    return true;
  } catch {
    return false;
  }
}
