/**
 * Follows one session on a terminal or in a log until it ends, somebody detaches, or it is left.
 * Owns the live line, the approval question and the reaction to signals; the session lives on the server, untouched by all three.
 * Invariants: (1) one question is open at a time, (2) a question closes when what it asks about was decided elsewhere,
 * (3) whatever happens, the terminal is left with a whole last line.
 */
import type { Followed } from '../follow.js';
import type { RequestOptions } from '../admission/admit.js';
import type { Nl2codeClient } from '../client.js';
import { Nl2codeError } from '../session/error-table.js';
import type { Proposal } from '../session/decision.js';
import type { Result } from '../session/result.js';
import { allowedTools } from '../store/allowed-tools.js';
import { readChanges } from '../store/read-changes.js';
import { changeLines } from '../verification/changes-text.js';
import { cliActor } from './actor.js';
import { clean } from './clean.js';
import { askDecision } from './decide-prompt.js';
import { Interrupt } from './interrupt.js';
import { advance, liveLine, NO_PROGRESS } from './progress.js';
import { ask } from './question.js';
import { readStepDetail } from './step-detail.js';
import type { Terminal } from './terminal.js';

export type FollowEnd = { kind: 'end'; result: Result | null; why: string | null } | { kind: 'detached' } | { kind: 'left' };

export interface FollowRunOptions {
  client: Pick<Nl2codeClient<RequestOptions>, 'follow' | 'decide' | 'stop' | 'text' | 'folder'>;
  session: string;
  /** Id of the request to follow; default: the session's last. */
  request?: string;
  /** Byte offset in the event log to begin at. */
  from?: number;
  terminal: Terminal;
  env: Record<string, string | undefined>;
  /** Ask people on this terminal. */
  interactive: boolean;
}

const LIVE_MS = 200;
const INTERRUPT = 'interrupt';

/** Follows until the end. Signals of this process are the session's while it runs. */
export async function followRun(options: FollowRunOptions): Promise<FollowEnd> {
  return new FollowRun(options).run();
}

class FollowRun {
  private progress = NO_PROGRESS;
  private readonly over = new AbortController();
  private end: FollowEnd = { kind: 'left' };
  private proposal: Proposal | null = null;
  private shownCode: string | null = null;
  private question: { id: string; abort: AbortController; done: Promise<void> } | null = null;
  private announced = '';
  private readonly interrupt: Interrupt;

  constructor(private readonly options: FollowRunOptions) {
    this.interrupt = new Interrupt({
      interactive: options.interactive,
      ask: () => this.askWhatNow(),
      stop: () => void this.stop(),
      detach: () => this.leave({ kind: 'detached' }),
      leave: () => this.leave({ kind: 'left' }),
    });
  }

  async run(): Promise<FollowEnd> {
    const { client, session, request, from, terminal } = this.options;
    const stopListening = this.interrupt.listen();
    const ticker = setInterval(() => this.draw(), LIVE_MS);
    try {
      for await (const followed of client.follow(session, { ...(request === undefined ? {} : { request }), ...(from === undefined ? {} : { from }), signal: this.over.signal })) this.take(followed);
    } finally {
      clearInterval(ticker);
      await this.closeQuestion();
      stopListening();
      terminal.live(null);
    }
    return this.end;
  }

  private take(followed: Followed): void {
    const { client, session, terminal } = this.options;
    if (followed.kind === 'end') {
      this.end = followed;
    } else if (followed.kind === 'snapshot') {
      this.proposal = followed.snapshot.proposal;
      this.consider();
    } else {
      const { progress, lines } = advance(this.progress, followed.event, (seq) => readStepDetail(client.folder(session), seq), terminal.columns);
      this.progress = progress;
      for (const { text, tone } of lines) terminal.note(text, tone);
    }
  }

  private draw(): void {
    if (this.question) return;
    const waiting = this.proposal ? `    waiting for a decision: nl2code decide ${this.options.session} approve` : null;
    this.options.terminal.live(waiting ?? liveLine(this.progress, Date.now()));
  }

  /** Opens the question for what waits, or closes the one that is out of date. */
  private consider(): void {
    const { proposal } = this;
    if (this.question?.id === INTERRUPT) return;
    if (this.question && this.question.id !== proposal?.id) void this.closeQuestion();
    if (!proposal) return;
    if (!this.options.interactive) return this.announce(proposal);
    if (this.question) return;
    const abort = new AbortController();
    this.options.terminal.live(null);
    this.question = { id: proposal.id, abort, done: this.askAbout(proposal, abort.signal) };
  }

  private announce(proposal: Proposal): void {
    if (this.announced === proposal.id) return;
    this.announced = proposal.id;
    const { session, terminal } = this.options;
    const { what, problem, questions } = proposal;
    if (problem) terminal.note(clean(problem), 'warn');
    terminal.note(`The ${what} waits for a decision: look with "nl2code show ${session}${what === 'plan' ? '' : ' --code'}", then "nl2code decide ${session} approve${questions ? ' --answer q1=TEXT' : ''}", "… edit --file FILE" or "… reject --reason TEXT".`, 'strong');
  }

  private async askAbout(proposal: Proposal, signal: AbortSignal): Promise<void> {
    const { client, session, terminal, env } = this.options;
    try {
      const code = client.text(session, proposal.code);
      const { what, problem = null } = proposal;
      const changes = what === 'script' ? readChanges(client.folder(session)) : undefined;
      const earlier = this.shownCode ?? (changes ? client.text(session, changes.script.before) : null);
      const shown = { what, code, before: what === 'script' && problem === null ? earlier : null, problem, changed: changes ? changeLines(changes) : [], tools: what === 'script' ? [] : allowedTools(client.folder(session)) };
      const decision = await askDecision(shown, terminal, { signal, onInterrupt: () => this.interrupt.signal('SIGINT'), env });
      if (decision === null) {
        if (!signal.aborted) this.announce(proposal);
        return;
      }
      if (what === 'script') this.shownCode = decision.kind === 'edit' && 'text' in decision.code ? decision.code.text : code;
      await client.decide(session, { proposal: proposal.id, actor: cliActor(), decision });
    } catch (error) {
      terminal.note(error instanceof Nl2codeError ? error.message : `The decision was not taken: ${error instanceof Error ? error.message : String(error)}`, 'bad');
    } finally {
      if (this.question?.id === proposal.id) this.question = null;
    }
  }

  private async closeQuestion(): Promise<void> {
    const { question } = this;
    question?.abort.abort();
    await question?.done;
  }

  private async askWhatNow(): Promise<'stop' | 'detach' | 'go-on' | null> {
    this.options.terminal.live(null);
    await this.closeQuestion();
    const abort = new AbortController();
    const answered = ask('\nstop the session, detach from it, or go on? [s/d/g] ', { signal: abort.signal, onInterrupt: () => this.interrupt.signal('SIGINT') });
    this.question = { id: INTERRUPT, abort, done: answered.then(() => undefined) };
    const answer = await answered;
    this.question = null;
    if (abort.signal.aborted) return 'go-on';
    if (answer === null) return null;
    if (/^d/i.test(answer)) return 'detach';
    if (/^s/i.test(answer)) return 'stop';
    queueMicrotask(() => this.consider());
    return 'go-on';
  }

  private async stop(): Promise<void> {
    const { client, session, terminal } = this.options;
    terminal.note(`Stopping session ${session} …`, 'warn');
    try {
      await client.stop(session, cliActor());
    } catch (error) {
      // Over already: the end is about to be read.
      if (error instanceof Nl2codeError && error.code === 'not-found') return;
      terminal.note(`It could not be stopped: ${error instanceof Error ? error.message : String(error)}`, 'bad');
      this.leave({ kind: 'left' });
    }
  }

  private leave(end: FollowEnd): void {
    this.end = end;
    this.over.abort();
  }
}
