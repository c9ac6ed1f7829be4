/**
 * The host's half of bridged tools. Owns every effect that a tool has for this process's cells; the store's memo owns what came of it.
 * Invariants:
 * (1) the attempt at an effect is recorded before it begins, and what came of it before it is told;
 * (2) a question that was answered is answered the same for ever, whoever asks it again;
 * (3) of several that ask at once, in any number of processes, one makes the attempt, and the others wait for its answer;
 * (4) an attempt that nobody is at any more is made again only where the tool takes an idempotency key; else it stays uncertain for ever;
 * (5) another question in the place of one that was asked is refused, and has no effect.
 */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { identityOf, isAlive } from '../embedded/process-identity.js';
import type { OnTool, ToolAnswer, ToolRequest } from '../kernel/tool-call.js';
import type { BridgedTool } from '../session/bridged-tool.js';
import { Nl2codeError } from '../session/error-table.js';
import type { Json } from '../session/json.js';
import type { SessionFolder } from '../store/session-store.js';
import { callSha, type AnsweredCall, type BegunCall, type CallPlace } from '../store/tool-memo.js';
import { runTool, type Effect } from './effect.js';
import { errorSentence } from './error-sentence.js';
import { noAnswerRecorded, noSuchTool, otherCall, tooManyBytes, tooManyCalls, unknownEffect, WHY_UNKNOWN } from './sentences.js';
import type { Tool } from './tool.js';
import { ToolSet, type ResolvedTool } from './tool-set.js';

/** Calls of one cell, each of which leaves two files, and what all they ask and are told may have. */
const MAX_CALLS = 1_000;
const MAX_CELL_BYTES = 64 << 20;
const POLL_MS = 25;
/** What an attempt may take beyond its tool's own limit, its record included. */
const MARGIN_MS = 10_000;
/** How long the end of a cell waits for tools that are told to end. */
const END_MS = 3_000;

/** The cell that is asked about, and what it may call. */
export interface CallingCell {
  folder: SessionFolder;
  session: string;
  /** Names of the tools that its request allows. */
  allowed: readonly string[];
}

/** Tools as one run of cells meets them. */
export interface CellTools {
  /** Answers a call. Throws only what the store throws, before anything has happened or with what happened kept in mind. */
  answer: OnTool;
  /** The cell is over: tools that are still at it are told so, and waited for a little. */
  end(): Promise<void>;
}

/** An effect that is under way in this process; nobody else in it may begin the same. */
interface Running {
  sha: string;
  answer: Promise<ToolAnswer>;
  over: AbortController;
}

// Of the process, not of a bridge: two plugins of one worker may serve the same session.
const running = new Map<string, Running>();
/** What came of an effect and could not be recorded, as on a full disk. */
const unrecorded = new Map<string, AnsweredCall>();

export class ToolBridge {
  private readonly tools: ToolSet;

  /** `allow`: the only tools that any request may call, by the operator's word. */
  constructor(tools: readonly Tool[], readonly allow: readonly string[] | null = null) {
    this.tools = new ToolSet(tools);
  }

  get names(): string[] {
    return this.tools.names;
  }

  /** The tools of these names, as the model and the code are told of them. */
  described(names: readonly string[]): BridgedTool[] {
    return this.tools.described(names);
  }

  /** Tools for the cells of a session. */
  cell(cell: CallingCell): CellTools {
    const asked = new Set<string>();
    return {
      answer: async (request) => {
        asked.add(placeName(cell, request));
        return this.ask(cell, request);
      },
      async end() {
        const open = [...asked].flatMap((place) => running.get(place) ?? []);
        for (const { over } of open) over.abort();
        await Promise.race([Promise.allSettled(open.map(({ answer }) => answer)), delay(END_MS, undefined, { ref: false })]);
      },
    };
  }

  /** Waits until what runs in this process has come to something and is recorded, at most so long. */
  async settled(withinMs: number): Promise<void> {
    await Promise.race([Promise.allSettled([...running.values()].map(({ answer }) => answer)), delay(withinMs, undefined, { ref: false })]);
  }

  private async ask(cell: CallingCell, request: ToolRequest): Promise<ToolAnswer> {
    const { name, args, replay } = request;
    const { tools } = cell.folder;
    const sha = callSha(name, args);
    const place = placeName(cell, request);
    const answered = tools.answered(request);
    const before = answered ?? tools.begun(request);
    if (before && before.sha !== sha) return error('NonDeterministicReplay', otherCall(request, before.name, tools.begun(request)?.args ?? answered?.args ?? null));
    if (answered) return toAnswer(answered);
    if (replay) return error('NonDeterministicReplay', noAnswerRecorded(request));
    // Not recorded, so that code which goes on all the same fills no disk: it is told the same when it asks again.
    if (!before && request.call >= MAX_CALLS) return error('ToolError', tooManyCalls(MAX_CALLS));
    if (!before && tools.bytes(request.k) >= MAX_CELL_BYTES) return error('ToolError', tooManyBytes(MAX_CELL_BYTES));
    const other = running.get(place);
    if (other) return other.sha === sha ? other.answer : error('NonDeterministicReplay', otherCall(request, name, null));
    const over = new AbortController();
    // Here and not before the first wait, so that who asks next finds it.
    const answer = this.settle(cell, request, sha, over.signal).then(toAnswer).finally(() => running.delete(place));
    running.set(place, { sha, answer, over });
    return answer;
  }

  /** Brings a call to its one answer, whoever makes the attempt. */
  private async settle(cell: CallingCell, request: ToolRequest, sha: string, over: AbortSignal): Promise<AnsweredCall> {
    const { tools } = cell.folder;
    const place = placeName(cell, request);
    const { name, args } = request;
    const held = unrecorded.get(place);
    if (held) return this.record(cell, request, held);
    const taken = await this.take(cell, request);
    for (;;) {
      const answered = tools.answered(request);
      if (answered) return answered;
      const begun = tools.begun(request);
      if (!begun && 'refused' in taken) return this.record(cell, request, { name, sha, args, at: Date.now(), ms: 0, ...taken.refused });
      if (begun && (isAtIt(begun) || over.aborted)) {
        if (over.aborted) throw new Nl2codeError('sandbox-lost', `The cell ended while it waited for the answer of ${name}.`, { remedy: '' });
        await delay(POLL_MS);
        continue;
      }
      // Nobody is at it: who was may still have told what came of it since we looked.
      if (begun && tools.answered(request)) continue;
      if (begun && !('tool' in taken && taken.tool.idempotency === 'key')) {
        return this.record(cell, request, { name, sha, at: begun.at, ms: null, ok: false, error: unknownEffect(request, WHY_UNKNOWN.died) });
      }
      if (!('tool' in taken)) continue;
      const attempt = attemptOf(request, sha, tools.key(cell.session, request), taken.tool, (begun?.attempt ?? 0) + 1);
      if (tools.begin(request, attempt)) return this.perform(cell, request, attempt, taken, over);
    }
  }

  private async perform(cell: CallingCell, request: ToolRequest, { sha, key, at }: BegunCall, { tool, args }: { tool: ResolvedTool; args: Record<string, unknown> }, over: AbortSignal): Promise<AnsweredCall> {
    const began = performance.now();
    const effect = await runTool(tool, args, { key, session: cell.session }, over);
    return this.record(cell, request, { name: tool.name, sha, at, ms: Math.round(performance.now() - began), ...outcome(effect, request) });
  }

  /** Whether the call may be made: its tool and what that is given, or why not. Has no effect. */
  private async take({ allowed }: CallingCell, { name, args }: ToolRequest): Promise<{ tool: ResolvedTool; args: Record<string, unknown> } | { refused: Refused }> {
    const may = this.allow === null ? allowed : allowed.filter((each) => this.allow!.includes(each));
    if (name === 'list') return { tool: listing(this.described(may)), args: {} };
    const tool = may.includes(name) ? this.tools.get(name) : undefined;
    if (!tool) return refused(noSuchTool(name, may));
    try {
      const taken = await tool.take(args as Record<string, Json>);
      return 'problem' in taken ? refused(taken.problem) : { tool, args: taken.args };
    } catch (cause) {
      return refused(`The tool ${name} can't read its arguments: ${errorSentence(cause)}`);
    }
  }

  /** Records what a call came to; what can't be recorded is kept until it can. */
  private record({ folder, ...cell }: CallingCell, request: ToolRequest, answered: AnsweredCall): AnsweredCall {
    const place = placeName({ folder, ...cell }, request);
    unrecorded.set(place, answered);
    const winner = folder.tools.answer(request, answered);
    unrecorded.delete(place);
    return winner;
  }
}

type Refused = { ok: false; error: { type: string; message: string } };

const placeName = ({ folder }: CallingCell, { k, call }: CallPlace): string => join(folder.path, `${k}.${call}`);
const error = (type: string, message: string): ToolAnswer => ({ ok: false, error: { type, message } });
const refused = (message: string): { refused: Refused } => ({ refused: { ok: false, error: { type: 'ToolError', message } } });

function toAnswer(answered: AnsweredCall): ToolAnswer {
  return answered.ok ? { ok: true, value: answered.value } : { ok: false, error: answered.error };
}

function outcome(effect: Effect, request: ToolRequest): { ok: true; value: Json } | Refused {
  if (effect.kind === 'answer') return { ok: true, value: effect.value };
  return { ok: false, error: effect.kind === 'error' ? { type: 'ToolError', message: effect.message } : unknownEffect(request, effect.why) };
}

function attemptOf({ name, args }: ToolRequest, sha: string, key: string, tool: ResolvedTool, attempt: number): BegunCall {
  const at = Date.now();
  const { startTime } = identityOf(process.pid) ?? { startTime: '' };
  return { name, args, sha, key, attempt, owner: { host: hostname(), pid: process.pid, startTime }, at, until: at + tool.timeoutMs + MARGIN_MS };
}

/** Whether somebody may still be at an attempt. Of another host only the clock tells. */
function isAtIt({ owner, until }: BegunCall): boolean {
  if (Date.now() > until) return false;
  if (owner.host !== hostname()) return true;
  // What this process began and is not at any more has its answer, or was kept from recording it.
  return owner.pid !== process.pid && isAlive(owner);
}

function listing(tools: BridgedTool[]): ResolvedTool {
  return { name: 'list', description: '', parameters: {}, idempotency: 'key', timeoutMs: 1_000, take: async () => ({ args: {} }), run: () => tools };
}
