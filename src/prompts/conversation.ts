/**
 * The chain as a conversation: a pure function of the records, their blobs and the step that asks.
 * Invariants:
 * (1) what was sent before is a prefix of what is sent next, as long as nothing but records was added;
 * (2) every tool call has exactly one result, directly after the reply that made it; a call nothing answered is closed here.
 */
import type { ChatMessage, ModelReply } from '../model/endpoint.js';
import type { CodeRef } from '../session/decision.js';
import type { Fact } from '../session/facts.js';
import type { Hash, Json, TextRef } from '../session/json.js';
import type { Observation } from '../session/observation.js';
import { readPlanText, type Plan } from '../session/plan.js';
import type { Request } from '../session/request.js';
import type { StepRecord } from '../session/step-record.js';
import type { StepIO } from '../session/step.js';
import { verificationText } from '../verification/finding-text.js';
import { callArguments, type AskSpec } from './ask.js';
import { asks } from './asks.js';
import { budgetText, NOTHING_USED, usedWith } from './budget-text.js';
import { callsOf, REPLY_ID } from './calls.js';
import { cellDecisionText, decisionText, defaultsText, loopText, planDecisionText } from './fact-text.js';
import { cellText, cut, OBSERVATION_CHARS } from './observation-text.js';
import { planAnswer, planOf } from './plan-ask.js';
import { REVIEW_TOOL } from './replies.js';
import { NOT_A_REVIEW } from './review-ask.js';
import { requestText } from './request-text.js';

/** Reads text by reference; throws when it is gone. */
export type ReadText = (ref: TextRef) => string;

class Conversation {
  readonly messages: ChatMessage[] = [];
  private readonly open = new Set<string>();
  /** What the last reply called in its text, by id: its results are user messages that name the call. */
  private written = new Map<string, string>();
  private script: string | undefined;
  /** Of the request that is open. */
  private budget: Request['budget'] | undefined;
  private used = NOTHING_USED;
  private plan: Plan = { steps: [], assumptions: [], questions: [], checks: [] };
  /** Names of the open request's inputs. */
  private inputs: string[] = [];
  /** Code of the last reply's calls, by their ids. */
  private cells = new Map<string, Hash>();
  /** What a person did to the cell that runs next: told with its result, so that the call keeps its one answer. */
  private edited = '';
  /** The last ask: its words hold for what follows it. */
  private spec: AskSpec | undefined;

  constructor(private readonly read: ReadText) {}

  user(content: string): void {
    this.closeCalls();
    this.messages.push({ role: 'user', content });
  }

  assistant(reply: ModelReply): void {
    this.closeCalls();
    // Arguments that are not JSON are sent back as JSON that says so: some endpoints refuse the conversation otherwise.
    const calls = reply.calls.map((call) => (callArguments(call.arguments) ? call : { ...call, arguments: JSON.stringify({ malformed: call.arguments.slice(0, 2000) }) }));
    this.messages.push({ role: 'assistant', content: reply.content, calls });
    for (const call of calls) this.open.add(call.id);
    this.written = new Map(calls.length > 0 ? [] : [...callsOf(reply).map((call, i): [string, string] => [call.id, `call ${i + 1}, ${call.name.slice(0, 64)}`]), [REPLY_ID, 'your reply']]);
  }

  /** The answer to a call; a user message when the call stands in the text of the reply, or has its answer already. */
  answer(callId: string, content: string): void {
    const written = this.written.get(callId);
    this.written.delete(callId);
    if (this.open.delete(callId)) this.messages.push({ role: 'tool', callId, content });
    else this.user(written === undefined ? content : `Result of ${written}:\n${content}`);
  }

  closeCalls(content = 'Not run.'): void {
    for (const callId of this.open) this.messages.push({ role: 'tool', callId, content });
    this.open.clear();
  }

  facts(facts: readonly Fact[]): void {
    for (const fact of facts) {
      if (fact.kind === 'no-call') this.user(this.spec!.words.noCall);
      else if (fact.kind === 'not-run') this.answer(fact.call, `Not run: ${fact.why}`);
      else if (fact.kind === 'loop') this.user(loopText(fact.loop));
      else if (fact.kind === 'defaults-taken') this.user(defaultsText(this.plan));
      else if (fact.kind === 'decision') this.decision(fact);
    }
  }

  private decision(fact: Extract<Fact, { kind: 'decision' }>): void {
    const edited = fact.decision.kind === 'edit' ? this.code(fact.decision.code) : undefined;
    if (fact.what === 'cell') {
      const call = fact.proposal.slice(fact.proposal.indexOf(':') + 1);
      const hash = this.cells.get(call);
      const text = cellDecisionText(fact.decision, hash === undefined ? '' : this.read({ hash }), edited);
      if (fact.decision.kind === 'reject') this.answer(call, text);
      else this.edited = text;
      return;
    }
    if (fact.what === 'plan' && edited !== undefined) {
      const plan = readPlanText(edited);
      if (typeof plan !== 'string') this.plan = plan;
    }
    const text = fact.what === 'plan' ? planDecisionText(fact, this.plan) : decisionText(fact, this.script, edited);
    if (text) this.user(text);
  }

  record(record: StepRecord): void {
    this.asking(record.ask);
    this.facts(record.facts);
    this.used = usedWith(record.kind === 'open' ? NOTHING_USED : this.used, record);
    switch (record.kind) {
      case 'open':
        return this.opened((record.args as unknown as StepIO['open']['args']).request, record.refs.observation ? this.read(record.refs.observation) : '');
      case 'plan':
        this.prompted(record.args);
        return this.planned(this.reply(record));
      case 'review':
        this.prompted(record.args);
        return this.answered(this.reply(record), (name) => (name === REVIEW_TOOL ? 'Noted.' : NOT_A_REVIEW));
      case 'code':
        this.prompted(record.args);
        this.cells = new Map((record.value as unknown as StepIO['code']['value']).calls.flatMap(({ id, code }) => (code === undefined ? [] : [[id, code] as const])));
        return this.assistant(this.reply(record));
      case 'execute':
        return this.execution(record);
      case 'retry': {
        const { next, reason } = record.value as unknown as StepIO['retry']['value'];
        if (next === 'give-up') return;
        return this.user(`The script is not accepted: ${cut(reason, 2000)}${next === 'repair' ? `\n${this.spec!.words.repair}` : ''}`);
      }
      case 'close':
        return;
    }
  }

  /** The ask that what follows belongs to; undefined where nothing is asked. */
  asking(ask: string | undefined): void {
    if (ask === undefined) return;
    this.spec = asks[ask];
    if (!this.spec) throw new TypeError(`no ask is called ${ask}`);
  }

  /** Makes sure that the last message asks for something. */
  prompted(args: Json): void {
    const { instruction, words } = this.spec!;
    if (typeof instruction === 'function') this.user(instruction((args as { item: number }).item));
    else if (instruction !== null) this.user(instruction);
    else if (this.messages.at(-1)?.role === 'assistant') this.user(words.goOn);
  }

  private opened(request: Request, packText: string): void {
    this.budget = request.budget;
    this.inputs = request.inputs.map(({ name }) => name);
    this.user(requestText(request, packText));
  }

  private planned(reply: ModelReply): void {
    const read = planOf(reply, this.inputs);
    this.plan = read.plan;
    this.answered(reply, (name) => planAnswer(name, read));
    if (reply.calls.length === 0 && read.problems.length > 0) this.user(read.problems.join(' '));
  }

  /** A reply whose calls are answered by their names alone: nothing of it runs. */
  private answered(reply: ModelReply, answer: (name: string) => string): void {
    this.assistant(reply);
    for (const { id, name } of reply.calls) if (this.open.has(id)) this.answer(id, answer(name));
  }

  private execution(record: StepRecord): void {
    const { target, call } = record.args as unknown as StepIO['execute']['args'];
    const { unparsed } = record.value as unknown as StepIO['execute']['value'];
    const seen = JSON.parse(this.read(record.refs.observation!)) as Observation;
    if (seen.kind === 'verification') {
      // An edit that is no Python is not the script: what was shown before waits again.
      if (record.refs.code && !unparsed) this.script = this.read({ hash: record.refs.code });
      return this.answer(call, this.withBudget(cut(verificationText(seen), OBSERVATION_CHARS)));
    }
    if (target === 'inspect') return this.user(this.withBudget(`The inputs, as inspected:\n${cellText(seen)}`));
    const { edited } = this;
    this.edited = '';
    // The cell as it was waits again, and its call for an answer.
    if (edited && unparsed) return;
    this.answer(call, this.withBudget(edited ? `${edited}\n\n${cellText(seen)}` : cellText(seen)));
  }

  private withBudget(observation: string): string {
    return this.budget ? `${observation}\n${budgetText(this.budget, this.used)}` : observation;
  }

  private reply(record: StepRecord): ModelReply {
    return JSON.parse(this.read(record.refs.reply!)) as ModelReply;
  }

  private code(code: CodeRef): string {
    return 'text' in code ? code.text : 'hash' in code ? this.read({ hash: code.hash }) : '';
  }
}

/** The whole prompt of an ask, from the records before it, oldest first. `args` are those of the step that asks. */
export function conversation(records: readonly StepRecord[], ask: string, facts: readonly Fact[], read: ReadText, args: Json = null): ChatMessage[] {
  const talk = new Conversation(read);
  for (const record of records) talk.record(record);
  talk.asking(ask);
  talk.facts(facts);
  talk.prompted(args);
  talk.closeCalls();
  return [{ role: 'system', content: asks[ask]!.system }, ...talk.messages];
}
