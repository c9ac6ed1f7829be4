import { Known } from '../exposure/known.js';
import type { ModelReply } from '../model/endpoint.js';
import { callArguments } from '../prompts/ask.js';
import { bridgedToolsText } from '../prompts/bridged-tools.js';
import { callsOf } from '../prompts/calls.js';
import type { BridgedTool } from '../session/bridged-tool.js';
import type { Fact } from '../session/facts.js';
import type { Hash } from '../session/json.js';
import type { VerificationObservation } from '../session/observation.js';
import type { InputRef } from '../session/request.js';
import type { StepRecord } from '../session/step-record.js';
import type { StepIO } from '../session/step.js';
import type { Link } from '../store/chain.js';
import type { SessionFolder } from '../store/session-store.js';
import { bridgeSentences } from '../tools/sentences.js';

/**
 * What the model of one session has of its own and of people's words, and what looks at the inputs noted: read from the chain record by
 * record, so that a step costs what is new. Worker side; a view, losing it costs reading the chain again.
 */
export class SessionWords {
  /** Blobs of what the looks noted, oldest first; null for one that could not be taken. */
  readonly looks: (Hash | null)[] = [];
  /** Inputs of the session's first request; null before it is opened. */
  inputs: readonly InputRef[] | null = null;
  readonly #known = new Known();
  #links = 0;
  #head: Hash | undefined;
  /** The script that waits for a person where the model has not seen all of it, else null. */
  #hidden: Hash | null = null;

  constructor(private readonly folder: SessionFolder) {}

  /** Whether these records go on from those that were read. */
  precedes(past: readonly Link[]): boolean {
    return this.#links <= past.length && past[this.#links - 1]?.hash === this.#head;
  }

  /** Reads what is new of the records of a session, oldest first. */
  read(past: readonly Link[]): void {
    for (const { record } of past.slice(this.#links)) this.add(record);
    this.#links = past.length;
    this.#head = past.at(-1)?.hash;
  }

  /** What is known in a step that carries these facts; what is added to it stays with the step. */
  with(facts: readonly Fact[]): Known {
    const known = new Known(this.#known);
    for (const fact of facts) this.addFact(known, fact);
    return known;
  }

  private add(record: StepRecord): void {
    for (const fact of record.facts) this.addFact(this.#known, fact);
    if (record.kind === 'open') this.addRequest(record);
    if (record.kind === 'execute') this.addLook(record);
    if (!record.refs.reply) return;
    const reply = JSON.parse(this.folder.blobs.text(record.refs.reply)) as ModelReply;
    this.#known.add(reply.content);
    for (const call of callsOf(reply)) this.#known.addAll([call.name, callArguments(call.arguments) ?? call.arguments]);
  }

  private addRequest(record: StepRecord): void {
    const { prompt, labels, inputs } = (record.args as unknown as StepIO['open']['args']).request;
    this.inputs ??= inputs;
    this.#known.addAll([prompt, labels]);
    if (record.refs.observation) this.#known.add(this.folder.blobs.text(record.refs.observation));
    if (record.refs.tools) this.addTools(JSON.parse(this.folder.blobs.text(record.refs.tools)) as BridgedTool[]);
  }

  /** What the model is told of tools, and what code may be told of them. */
  private addTools(tools: readonly BridgedTool[]): void {
    this.#known.addAll([bridgedToolsText(tools, 'cell'), ...bridgeSentences(tools.map(({ name }) => name))]);
  }

  private addLook({ args, value, refs }: StepRecord): void {
    const { target } = args as unknown as StepIO['execute']['args'];
    if (target === 'inspect') this.looks.push(refs.sensitive ?? null);
    // An edit that is no Python is not the script: what was shown before waits again.
    if (target !== 'script' || !refs.code || !refs.observation || (value as unknown as StepIO['execute']['value']).unparsed) return;
    const { hidesScript } = JSON.parse(this.folder.blobs.text(refs.observation)) as VerificationObservation;
    this.#hidden = hidesScript ? refs.code : null;
  }

  /** An edit of a script that the model has not seen whole is a person's word in the lines they changed only: the others hold values still. */
  private addFact(known: Known, fact: Fact): void {
    if (fact.kind !== 'decision' || fact.decision.kind !== 'edit') return known.addAll(fact);
    const { code } = fact.decision;
    known.add(fact.actor);
    if ('path' in code) return;
    const text = 'hash' in code ? this.folder.blobs.read(code.hash) : code.text;
    if (fact.what !== undefined || this.#hidden === null) return known.add(text);
    for (const changed of changedLines(this.folder.blobs.read(this.#hidden), text)) known.add(changed);
  }
}

/** The lines of a text that another does not have, those that stand together as one. Pure. */
function changedLines(before: string, after: string): string[] {
  const old = new Set(before.split('\n'));
  const changed: string[][] = [[]];
  for (const line of after.split('\n')) {
    if (old.has(line)) changed.push([]);
    else changed.at(-1)!.push(line);
  }
  return changed.map((lines) => lines.join('\n'));
}
