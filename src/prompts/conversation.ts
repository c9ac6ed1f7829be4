/**
 * The chain as a conversation: a pure function of the records, their blobs and the step that asks.
 * Invariants:
 * (1) what was sent before is a prefix of what is sent next, as long as nothing but records was added;
 * (2) every tool call has exactly one result, directly after the reply that made it; a call nothing answered is closed here.
 */
import type { ChatMessage, ModelReply } from '../model/endpoint.js';
import type { CodeRef } from '../session/decision.js';
import type { Fact } from '../session/facts.js';
import type { TextRef } from '../session/json.js';
import type { Observation } from '../session/observation.js';
import type { StepRecord } from '../session/step-record.js';
import type { StepIO } from '../session/step.js';
import { verificationText } from '../verification/finding-text.js';
import { callArguments } from './ask.js';
import { asks } from './asks.js';
import { decisionText } from './fact-text.js';
import { cellText, cut, OBSERVATION_CHARS } from './observation-text.js';
import { requestText } from './request-text.js';

/** Reads text by reference; throws when it is gone. */
export type ReadText = (ref: TextRef) => string;

const GO_ON = 'Go on: call run_cell, or submit when the script is written and has run.';
const NO_CALL = 'Your reply held no tool call, so nothing ran. Call run_cell to run code, or submit to hand in the script.';

class Conversation {
  readonly messages: ChatMessage[] = [];
  private readonly open = new Set<string>();
  private script: string | undefined;

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
  }

  /** The answer to a call; a user message when the call has its answer already. */
  answer(callId: string, content: string): void {
    if (this.open.delete(callId)) this.messages.push({ role: 'tool', callId, content });
    else this.user(content);
  }

  closeCalls(content = 'Not run.'): void {
    for (const callId of this.open) this.messages.push({ role: 'tool', callId, content });
    this.open.clear();
  }

  facts(facts: readonly Fact[]): void {
    for (const fact of facts) {
      if (fact.kind === 'no-call') this.user(NO_CALL);
      else if (fact.kind === 'not-run') this.answer(fact.call, `Not run: ${fact.why}`);
      else if (fact.kind === 'decision') {
        const edited = fact.decision.kind === 'edit' ? this.code(fact.decision.code) : undefined;
        const text = decisionText(fact, this.script, edited);
        if (text) this.user(text);
      }
    }
  }

  record(record: StepRecord): void {
    this.facts(record.facts);
    switch (record.kind) {
      case 'open':
        return this.user(requestText((record.args as unknown as StepIO['open']['args']).request, record.refs.observation ? this.read(record.refs.observation) : ''));
      case 'plan':
      case 'review': {
        const instruction = asks[record.ask!]?.instruction;
        if (instruction) this.user(instruction);
        this.assistant(this.reply(record));
        return this.closeCalls('Noted.');
      }
      case 'code':
        this.prompted();
        return this.assistant(this.reply(record));
      case 'execute':
        return this.execution(record);
      case 'retry': {
        const { next, reason } = record.value as unknown as StepIO['retry']['value'];
        return next === 'repair' ? this.user(`The script is not accepted: ${cut(reason, 2000)}\nRepair it, run it once, and submit again.`) : undefined;
      }
      case 'close':
        return;
    }
  }

  /** Makes sure that the last message asks for something. */
  prompted(): void {
    if (this.messages.at(-1)?.role === 'assistant') this.user(GO_ON);
  }

  private execution(record: StepRecord): void {
    const { target, call } = record.args as unknown as StepIO['execute']['args'];
    const seen = JSON.parse(this.read(record.refs.observation!)) as Observation;
    if (seen.kind === 'verification') {
      if (record.refs.code) this.script = this.read({ hash: record.refs.code });
      return this.answer(call, cut(verificationText(seen), OBSERVATION_CHARS));
    }
    if (target === 'inspect') return this.user(`The inputs, as inspected:\n${cellText(seen)}`);
    return this.answer(call, cellText(seen));
  }

  private reply(record: StepRecord): ModelReply {
    return JSON.parse(this.read(record.refs.reply!)) as ModelReply;
  }

  private code(code: CodeRef): string {
    return 'text' in code ? code.text : 'hash' in code ? this.read({ hash: code.hash }) : '';
  }
}

/** The whole prompt of an ask, from the records before it, oldest first. */
export function conversation(records: readonly StepRecord[], ask: string, facts: readonly Fact[], read: ReadText): ChatMessage[] {
  const spec = asks[ask];
  if (!spec) throw new TypeError(`no ask is called ${ask}`);
  const talk = new Conversation(read);
  for (const record of records) talk.record(record);
  talk.facts(facts);
  if (spec.instruction) talk.user(spec.instruction);
  else talk.prompted();
  talk.closeCalls();
  return [{ role: 'system', content: spec.system }, ...talk.messages];
}

