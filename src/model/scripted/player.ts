import { errorTable } from '../../session/error-table.js';
import type { Capture, Detour, Playbook, Turn, Written } from './playbook.js';
import { promptOf, type Sent, type SentMessage, strategyLine } from './sent.js';
import { filled } from './template.js';

/** Calls of a reply that was spoiled on purpose have ids that begin so; such a reply takes no turn. */
export const FAULT_ID = 'fault_';
/** A reply that was robbed of its call ends so; it takes no turn either. */
export const FAULT_TEXT = '(no call, on purpose)';

/** What a request is answered with. */
export type Played =
  | {
      kind: 'reply';
      playbook: Playbook;
      turn: string;
      last: boolean;
      say: string;
      calls: { id: string; tool: string; arguments: string }[];
      delayMs: number;
      tokensPerSecond: number;
    }
  | { kind: 'mismatch'; playbook: Playbook | null; message: string };

/**
 * The reply to a request, from what was really sent and nothing else: the replies already in the conversation say which
 * turn it
 * is, and the observations must hold what that turn was written for. Pure.
 */
export function play(playbooks: readonly Playbook[], sent: Sent): Played {
  const playbook = findPlaybook(playbooks, promptOf(sent), strategyLine(sent));
  if (!playbook) return { kind: 'mismatch', playbook: null, message: noPlaybook(playbooks) };
  const mismatch = (message: string): Played => ({
    kind: 'mismatch',
    playbook,
    message: `${playbook.name}: ${message}`,
  });
  const place = placeOf(playbook, sent.messages);
  const turn: Turn | Detour | undefined = place.detour ?? playbook.turns[place.turn];
  if (!turn)
    return mismatch(`a call too many: all ${playbook.turns.length} turns were played. Last seen: ${shown(place.seen)}`);
  const title = place.detour ? `detour "${turn.name}"` : `turn ${place.turn + 1} "${turn.name}"`;
  for (const expected of 'expect' in turn ? turn.expect : []) {
    if (!expected.test(place.seen))
      return mismatch(`${title} expected /${expected.source.slice(0, 80)}/ and saw ${shown(place.seen)}`);
  }
  const captured: Record<string, string> = {};
  const earlier = place.detour ? [] : place.played;
  for (const [name, capture] of [playbook, ...earlier, turn].flatMap((t) => Object.entries(t.read))) {
    const text = found(capture, sent.messages);
    if (text === undefined)
      return mismatch(
        `${title} reads "${name}" with /${capture.find.source.slice(0, 80)}/, which nothing sent holds. Last seen: ${shown(place.seen)}`,
      );
    captured[name] = text;
  }
  const missing = turn.calls.find((c) => !sent.tools.includes(c.tool));
  if (missing)
    return mismatch(`${title} calls ${missing.tool}, but the tools offered are: ${sent.tools.join(', ') || 'none'}.`);
  return {
    kind: 'reply',
    playbook,
    turn: turn.name,
    last: 'last' in turn && turn.last,
    ...spoken(turn, captured, sent.messages.length),
  };
}

/** The playbook of a strategy whose words the prompt holds; the one with the most words, when several do. Pure. */
export function findPlaybook(playbooks: readonly Playbook[], prompt: string, strategy: string): Playbook | undefined {
  const lower = prompt.toLowerCase();
  return playbooks
    .filter(
      (p) =>
        new RegExp(`(^|[^a-z-])${p.strategy}($|[^a-z-])`, 'i').test(strategy) &&
        p.words.every((w) => lower.includes(w.toLowerCase())),
    )
    .sort((a, b) => b.words.length - a.words.length)[0];
}

/** The sentence for a request that nobody wrote a playbook for. Pure. */
export function noPlaybook(playbooks: readonly Playbook[]): string {
  const written = playbooks.map((p) => p.name).join(', ') || 'none';
  return `No playbook matches this request and strategy; written are: ${written}. ${errorTable['playbook-mismatch'].remedy}`;
}

interface Place {
  turn: number;
  /** The turns before it, without those that were passed over. */
  played: Turn[];
  detour: Detour | undefined;
  /** What was observed since the turn before. */
  seen: string;
}

/**
 * Where the conversation stands. Each earlier reply took a turn, unless it was spoiled on purpose or answered an
 * observation that a
 * detour waits for. A turn played again looks at the same observations as the first time, and what came since.
 */
function placeOf(playbook: Playbook, messages: readonly SentMessage[]): Place {
  const played: { turn: number; start: number }[] = [];
  let next = { turn: 0, start: 0 };
  let after = 0;
  const detourAt = (end: number) =>
    played.length > 0 ? playbook.detours.find((d) => d.when.test(observed(messages.slice(after, end)))) : undefined;
  messages.forEach((message, i) => {
    if (message.role !== 'assistant' || isSpoiled(message)) return;
    const detour = detourAt(i);
    if (!detour) {
      const turn = due(playbook.turns, next.turn, observed(messages.slice(next.start, i)));
      played.push({ turn, start: next.start });
      next = { turn: turn + 1, start: i + 1 };
    } else if (detour.again) next = played.pop()!;
    after = i + 1;
  });
  const detour = detourAt(messages.length);
  const seen = observed(messages.slice(detour ? after : next.start));
  const turn = detour ? next.turn : due(playbook.turns, next.turn, seen);
  return { turn, played: played.flatMap((p) => playbook.turns[p.turn] ?? []), detour, seen };
}

/** The turn that answers: optional ones that do not fit are passed over when one behind them does. */
function due(turns: readonly Turn[], from: number, seen: string): number {
  for (let n = from; n < turns.length; n++) {
    if (turns[n]!.expect.every((expected) => expected.test(seen))) return n;
    if (turns[n]!.optional === null) break;
  }
  return from;
}

function isSpoiled(message: SentMessage): boolean {
  return message.calls.some((id) => id.startsWith(FAULT_ID)) || message.text.endsWith(FAULT_TEXT);
}

/** Everything a model is told: neither its own words nor the system prompt. */
function observed(messages: readonly SentMessage[]): string {
  return messages
    .filter(isTold)
    .map((m) => m.text)
    .join('\n');
}

function isTold(message: SentMessage): boolean {
  return message.role === 'user' || message.role === 'tool';
}

function found(capture: Capture, messages: readonly SentMessage[]): string | undefined {
  for (const message of messages) {
    if (!isTold(message) || (capture.in && !capture.in.test(message.text))) continue;
    const match = capture.find.exec(message.text);
    if (match) return match.groups?.value ?? match[1] ?? match[0];
  }
  return undefined;
}

function spoken(turn: Written, captured: Record<string, string>, at: number) {
  return {
    say: filled(turn.say, captured).trimEnd(),
    calls: turn.calls.map((c, i) => ({
      id: `call_${at}_${i}`,
      tool: c.tool,
      arguments: JSON.stringify(filled(c.arguments, captured)),
    })),
    delayMs: turn.delayMs,
    tokensPerSecond: turn.tokensPerSecond,
  };
}

/** The end of an observation is where a traceback says what happened. */
function shown(text: string): string {
  const line = text.trim().replace(/\s+/g, ' ');
  return `"${line.length > 120 ? `…${line.slice(-119)}` : line}"`;
}
