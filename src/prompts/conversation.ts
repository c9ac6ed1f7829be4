/**
 * The chain as a conversation: a pure function of the records, their blobs and the step that asks.
 * Invariants:
 * (1) what was sent before is a prefix of what is sent next, as long as nothing but records was added and no room had to be made;
 * (2) every tool call has exactly one result, directly after the reply that made it; a call nothing answered is closed here;
 * (3) a prompt stays within the tokens its request allows, as long as what is kept whole does: requests, inspections, plans, decisions, the
 *     script and its verification, the newest turn.
 */
import type { ChatMessage, ModelReply } from '../model/endpoint.js';
import type { BridgedTool } from '../session/bridged-tool.js';
import type { CodeRef } from '../session/decision.js';
import type { Fact } from '../session/facts.js';
import type { Hash, Json, TextRef } from '../session/json.js';
import type { Observation } from '../session/observation.js';
import { readPlanText, type Plan } from '../session/plan.js';
import type { Request } from '../session/request.js';
import type { StepRecord } from '../session/step-record.js';
import type { Ending, StepIO } from '../session/step.js';
import { verificationText } from '../verification/finding-text.js';
import { callArguments, type AskSpec } from './ask.js';
import { asks } from './asks.js';
import { bridgedToolsText } from './bridged-tools.js';
import { cellBrief, replyBrief, verificationBrief } from './brief.js';
import { budgetText, NOTHING_USED, usedWith } from './budget-text.js';
import { callsOf, REPLY_ID } from './calls.js';
import { endingOf, endingText } from './ending.js';
import { cellDecisionText, decisionText, defaultsText, loopText, planDecisionText } from './fact-text.js';
import { lineOf } from './line-of.js';
import { cellText, cut, OBSERVATION_CHARS } from './observation-text.js';
import { oneLine } from './one-line.js';
import { planAnswer, planOf } from './plan-ask.js';
import { REVIEW_TOOL } from './replies.js';
import { NOT_A_REVIEW } from './review-ask.js';
import { requestText } from './request-text.js';
import { Transcript, type Rest } from './transcript.js';

/** Reads text by reference; throws when it is gone. */
export type ReadText = (ref: TextRef) => string;

/** A line or nothing of a message that tells nothing new. */
const NOTHING_LEFT: Rest = { line: '' };
/** Characters a token is counted as. */
const TOKEN_CHARS = 4;
/** What a prompt may hold beside what is measured: calls that are closed at its end. */
const SLACK_CHARS = 800;

/** A conversation in the making: records are added one by one, and each prompt is what was added so far and the ask. */
export class Conversation {
  private said = new Transcript();
  private open = new Set<string>();
  /** What is left of the results of the calls that are open. */
  private answersStay = false;
  /** What the last reply called in its text, by id: its results are user messages that name the call. */
  private written = new Map<string, string>();
  /** Null when no part of it may be quoted. */
  private script: string | null | undefined;
  /** What verification last said, and the number of its message. */
  private verification: { text: string; at: number } | undefined;
  /** The request that is open. */
  private request: Request | undefined;
  private used = NOTHING_USED;
  private plan: Plan = { steps: [], assumptions: [], questions: [], checks: [] };
  /** Tools of the host that the open request's code may call. */
  private bridged: readonly BridgedTool[] = [];
  /** Names of the open request's inputs. */
  private inputs: string[] = [];
  /** Code of the last reply's calls, by their ids. */
  private cells: ReadonlyMap<string, Hash> = new Map<string, Hash>();
  /** What a person did to the cell that runs next: told with its result, so that the call keeps its one answer. */
  private edited = '';
  /** How the last reply ended, where it was not whole. */
  private ending: Ending | undefined;
  /** The last ask: its words hold for what follows it. */
  private spec: AskSpec | undefined;
  /** Tokens within which the endpoint took a prompt, after it had refused a longer one. */
  private learned: number | undefined;

  constructor(private readonly read: ReadText) {}

  /** What the model is sent for an ask after these records. `within`: tokens to keep within, where the endpoint refused more. Adds nothing. */
  prompt(ask: string, facts: readonly Fact[], args: Json, within?: number): ChatMessage[] {
    const talk = this.copy();
    talk.asking(ask);
    talk.facts(facts);
    talk.learned = within ?? talk.learned;
    talk.prompted(args);
    talk.closeCalls();
    return [{ role: 'system', content: talk.system() }, ...talk.said.messages];
  }

  /** The same, to go on from without changing this one. */
  copy(): Conversation {
    return Object.assign(new Conversation(this.read), this, { said: this.said.copy(), open: new Set(this.open), written: new Map(this.written) });
  }

  /** The system prompt: that of the strategy, and what its code may call. */
  private system(): string {
    const { system, calling } = this.spec!;
    return calling && this.bridged.length > 0 ? `${system}\n\n${bridgedToolsText(this.bridged, calling)}` : system;
  }

  private user(content: string, rest: Rest = 'whole'): void {
    this.closeCalls();
    this.said.push({ role: 'user', content }, rest);
  }

  private assistant(reply: ModelReply, rest: Rest): void {
    this.closeCalls();
    this.ending = endingOf(reply);
    // Arguments that are not JSON are sent back as JSON that says so: some endpoints refuse the conversation otherwise.
    const calls = reply.calls.map((call) => (callArguments(call.arguments) ? call : { ...call, arguments: JSON.stringify({ malformed: call.arguments.slice(0, 2000) }) }));
    this.said.push({ role: 'assistant', content: reply.content, calls }, rest);
    for (const call of calls) this.open.add(call.id);
    this.answersStay = rest === 'whole';
    this.written = new Map(calls.length > 0 ? [] : [...callsOf(reply).map((call, i): [string, string] => [call.id, `call ${i + 1}, ${call.name.slice(0, 64)}`]), [REPLY_ID, 'your reply']]);
  }

  /** The answer to a call; a user message when the call stands in the text of the reply, or has its answer already. */
  private answer(callId: string, content: string, rest: Rest): void {
    const written = this.written.get(callId);
    this.written.delete(callId);
    if (this.open.delete(callId)) this.result(callId, content, rest);
    else this.user(written === undefined ? content : `Result of ${written}:\n${content}`, rest);
  }

  private closeCalls(content = 'Not run.'): void {
    for (const callId of this.open) this.result(callId, content, NOTHING_LEFT);
    this.open.clear();
  }

  /** A reply that stays whole keeps its results. */
  private result(callId: string, content: string, rest: Rest): void {
    this.said.push({ role: 'tool', callId, content }, this.answersStay ? 'whole' : rest);
  }

  private facts(facts: readonly Fact[]): void {
    for (const fact of facts) {
      if (fact.kind === 'no-call') this.user([this.ending ? endingText[this.ending] : '', this.spec!.words.noCall].filter(Boolean).join(' '), NOTHING_LEFT);
      else if (fact.kind === 'not-run') this.answer(fact.call, `Not run: ${fact.why}`, { line: `  → not run: ${oneLine(fact.why)}` });
      else if (fact.kind === 'loop') this.user(loopText(fact.loop), NOTHING_LEFT);
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
      if (fact.decision.kind === 'reject') this.answer(call, text, { told: text });
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

  /** Adds what a step asked and what came of it. */
  add(record: StepRecord): void {
    this.asking(record.ask);
    this.facts(record.facts);
    this.learned = record.sent?.within ?? this.learned;
    this.used = usedWith(record.kind === 'open' ? NOTHING_USED : this.used, record);
    switch (record.kind) {
      case 'open':
        this.bridged = record.refs.tools ? (JSON.parse(this.read(record.refs.tools)) as BridgedTool[]) : [];
        return this.opened((record.args as unknown as StepIO['open']['args']).request, record.refs.observation ? this.read(record.refs.observation) : '');
      case 'plan':
        this.prompted(record.args);
        return this.planned(this.reply(record));
      case 'review': {
        this.prompted(record.args);
        const reply = this.reply(record);
        return this.answered(reply, { line: replyBrief(reply) }, (name) => (name === REVIEW_TOOL ? 'Noted.' : NOT_A_REVIEW));
      }
      case 'code': {
        this.prompted(record.args);
        this.cells = new Map((record.value as unknown as StepIO['code']['value']).calls.flatMap(({ id, code }) => (code === undefined ? [] : [[id, code] as const])));
        const reply = this.reply(record);
        return this.assistant(reply, { line: replyBrief(reply) });
      }
      case 'execute':
        return this.execution(record);
      case 'retry': {
        const { next, reason } = record.value as unknown as StepIO['retry']['value'];
        if (next === 'give-up') return;
        return this.user(`The script is not accepted: ${cut(reason, 2000)}${next === 'repair' ? `\n${this.spec!.words.repair}` : ''}`, { line: `- the script was not accepted: ${oneLine(reason)}` });
      }
      case 'close':
        return;
    }
  }

  /** The ask that what follows belongs to; undefined where nothing is asked. */
  private asking(ask: string | undefined): void {
    if (ask === undefined) return;
    this.spec = asks[ask];
    if (!this.spec) throw new TypeError(`no ask is called ${ask}`);
  }

  private opened(request: Request, packText: string): void {
    if (request.model !== this.request?.model) this.learned = undefined;
    this.request = request;
    this.inputs = request.inputs.map(({ name }) => name);
    this.user(requestText(request, packText));
  }

  private planned(reply: ModelReply): void {
    const read = planOf(reply, this.inputs);
    this.plan = read.plan;
    this.answered(reply, 'whole', (name) => planAnswer(name, read));
    if (reply.calls.length === 0 && read.problems.length > 0) this.user(read.problems.join(' '));
  }

  /** A reply whose calls are answered by their names alone: nothing of it runs. */
  private answered(reply: ModelReply, rest: Rest, answer: (name: string) => string): void {
    this.assistant(reply, rest);
    for (const { id, name } of reply.calls) if (this.open.has(id)) this.answer(id, answer(name), NOTHING_LEFT);
  }

  /** Begins a turn: makes room for it, and makes sure that the last message asks for something. */
  private prompted(args: Json): void {
    const { instruction, words } = this.spec!;
    const asks = typeof instruction === 'function' ? instruction((args as { item: number }).item) : (instruction ?? (this.said.last?.role === 'assistant' ? words.goOn : null));
    this.makeRoom((asks ?? '').length);
    this.said.beginTurn();
    if (asks !== null) this.user(asks, NOTHING_LEFT);
  }

  /** Shortens what is old where the prompt would be longer than the request allows; a request without a bound is never shortened. */
  private makeRoom(askChars: number): void {
    const { tools } = this.spec!;
    const tokens = Math.min(this.request?.promptTokens ?? Infinity, this.learned ?? Infinity);
    if (tokens === Infinity) return;
    const around = this.system().length + JSON.stringify(tools).length + askChars + SLACK_CHARS;
    this.said.keepWithin(Math.max(0, tokens * TOKEN_CHARS - around), (before) => this.remains(before));
  }

  /** What must not be lost with the messages before an index: the script, and what verification last said. */
  private remains(before: number): string {
    const { script, verification } = this;
    const said = verification && verification.at < before ? [`What verification said last:\n${verification.text}`] : [];
    const written = script === null ? ['The script as it was last handed in is not shown; it stands in its file.'] : script === undefined ? [] : [`The script as it was last handed in:\n\n${script}`];
    return [...written, ...said].join('\n\n');
  }

  private execution(record: StepRecord): void {
    const { target, call } = record.args as unknown as StepIO['execute']['args'];
    const { unparsed } = record.value as unknown as StepIO['execute']['value'];
    const seen = JSON.parse(this.read(record.refs.observation!)) as Observation;
    if (seen.kind === 'verification') {
      // An edit that is no Python is not the script: what was shown before waits again.
      if (record.refs.code && !unparsed) this.script = seen.hidesScript ? null : this.read({ hash: record.refs.code });
      const text = this.withBudget(cut(verificationText(seen), OBSERVATION_CHARS));
      this.answer(call, text, { line: verificationBrief(seen) });
      this.verification = { text, at: this.said.length - 1 };
      return;
    }
    if (target === 'inspect') return this.user(this.withBudget(`The inputs, as inspected:\n${cellText(seen)}`));
    const { edited } = this;
    this.edited = '';
    // The cell as it was waits again, and its call for an answer.
    if (edited && unparsed) return;
    if (edited) this.answer(call, this.withBudget(`${edited}\n\n${cellText(seen)}`), { told: `${edited}\n${cellBrief(seen)}` });
    else this.answer(call, this.withBudget(cellText(seen)), { line: cellBrief(seen) });
  }

  private withBudget(observation: string): string {
    return this.request?.budget ? `${observation}\n${budgetText(this.request.budget, this.used)}` : observation;
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
  for (const record of records) talk.add(record);
  return talk.prompt(ask, facts, args);
}

/** Tokens of a prompt, counted at four characters each. */
export function promptTokens(messages: readonly ChatMessage[], tools: AskSpec['tools']): number {
  return Math.ceil((messages.reduce((chars, message) => chars + lineOf(message).length, 0) + JSON.stringify(tools).length) / TOKEN_CHARS);
}
