/**
 * What was said to a model and by it, kept within a window by shortening the oldest turns. No model, no clock: a pure function of what was
 * pushed.
 * Invariants:
 * (1) turns are shortened whole, so that no call is parted from its result; the newest is never shortened;
 * (2) between two compactions it only grows at its end, and one compaction makes room for many turns;
 * (3) what is to stay whole stays whole, in its order.
 */
import type { ChatMessage } from '../model/endpoint.js';
import { lineOf } from './line-of.js';

/** What is left of a message when its turn is shortened: all of it, a message in its place, or a line among others; an empty one is nothing. */
export type Rest = 'whole' | { told: string } | { line: string };

/** Says in the place of the shortened turns what they are. */
export const NOTICE =
  'Older steps are shortened here to save room: a line says what ran, the line below it what that showed. Nothing was undone. Variables and files are all still there as the steps left them, unless a result says that they were lost; look again at what you need.';
/** Lines take at most this part of what a compaction leaves, so that they can't fill it in the end; the oldest go first. */
const LINES_SHARE = 1 / 4;

export class Transcript {
  private said: { message: ChatMessage; rest: Rest }[] = [];
  /** Where turns begin: no call before one of these is answered after it. */
  private turns: number[] = [];
  /** The first message that is not shortened, and what stands in the place of those before it. */
  private from = 0;
  private older: ChatMessage[] = [];
  private chars = 0;

  /** How many messages were pushed. */
  get length(): number {
    return this.said.length;
  }

  get last(): ChatMessage | undefined {
    return this.said.at(-1)?.message;
  }

  get messages(): ChatMessage[] {
    return [...this.older, ...this.said.slice(this.from).map(({ message }) => message)];
  }

  push(message: ChatMessage, rest: Rest): void {
    this.said.push({ message, rest });
    this.chars += lineOf(message).length;
  }

  /** A turn begins with the next message that is no result. */
  beginTurn(): void {
    this.turns.push(this.said.length);
  }

  /** The same, to go on from without changing this one. */
  copy(): Transcript {
    return Object.assign(new Transcript(), this, { said: [...this.said], turns: [...this.turns] });
  }

  /**
   * Where more than `chars` are said, shortens the oldest turns until at most half of that is; the newest turn stays, whatever that leaves.
   * `remains` gives what has to be told whole of the messages before an index, such as the script; empty for nothing.
   */
  keepWithin(chars: number, remains: (before: number) => string): void {
    if (this.chars <= chars) return;
    const ends = this.turns.map((at) => this.afterResults(at)).filter((at) => at > this.from);
    if (ends.length === 0) return;
    const shortened = (end: number) => [...this.shortened(end, (chars / 2) * LINES_SHARE), ...told(remains(end))];
    const size = (end: number) => sum(shortened(end)) + sum(this.said.slice(end).map(({ message }) => message));
    // The more is shortened, the less is said: the first end that fits is found by halving.
    let [low, high] = [0, ends.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (size(ends[middle]!) <= chars / 2) high = middle;
      else low = middle + 1;
    }
    this.from = ends[low]!;
    this.older = shortened(this.from);
    this.chars = size(this.from);
  }

  private afterResults(at: number): number {
    while (this.said[at]?.message.role === 'tool') at += 1;
    return at;
  }

  /** What is left of the messages before `end`: whole ones, and between them lines of at most `chars` in all, the newest of them. */
  private shortened(end: number, chars: number): ChatMessage[] {
    const said = this.said.slice(0, end);
    const lines = said.map(({ rest }) => (typeof rest === 'object' && 'line' in rest ? rest.line : ''));
    let room = chars;
    const first = lines.findLastIndex((line) => (room -= line.length) < 0) + 1;
    const dropped = lines.slice(0, first).filter(Boolean).length;
    const out: ChatMessage[] = [];
    let head = [NOTICE, ...(dropped > 0 ? [`(${dropped} older lines are left out.)`] : [])];
    let block: string[] = [];
    const tell = () => {
      out.push(...told([...head, ...block].join('\n')));
      head = block = [];
    };
    for (const [i, { message, rest }] of said.entries()) {
      if (typeof rest === 'object' && 'line' in rest) {
        if (i >= first && rest.line) block.push(rest.line);
        continue;
      }
      if (block.length > 0) tell();
      out.push(...(rest === 'whole' ? [message] : told(rest.told)));
    }
    tell();
    return out;
  }
}

const told = (content: string): ChatMessage[] => (content ? [{ role: 'user', content }] : []);
const sum = (messages: readonly ChatMessage[]): number => messages.reduce((chars, message) => chars + lineOf(message).length, 0);
