import type { FaultKind } from './fault.js';
import type { Playbook } from './playbook.js';

/** What became of one conversation: counted, never consulted. */
export interface ConversationReport {
  key: string;
  playbook: string;
  /** Different requests answered. */
  requests: number;
  /** Requests that came again, byte for byte. */
  resends: number;
  /** How often each turn and detour answered a new request, in order of the playbook. */
  turns: Record<string, number>;
  /** Turns that must be played and were not. */
  unused: string[];
  /** Messages of requests that did not fit. */
  mismatches: string[];
  /** A turn where the conversation may end was played. */
  finished: boolean;
  /** Finished, nothing unused, no mismatch. */
  ok: boolean;
}

export interface PlaybookReport {
  conversations: ConversationReport[];
  /** Messages of requests that no playbook matches. */
  unmatched: string[];
  /** How often each fault was used. */
  faults: Partial<Record<FaultKind, number>>;
}

interface Kept {
  playbook: Playbook;
  seen: Set<string>;
  resends: number;
  turns: Map<string, number>;
  mismatches: string[];
  finished: boolean;
}

const MAX_CONVERSATIONS = 1_000;
const MAX_MESSAGES = 100;

/** Counts what was asked and answered, per conversation, in bounded memory. Its counts choose nothing. */
export class Reporter {
  readonly #kept = new Map<string, Kept>();
  #unmatched: string[] = [];

  /** A request was answered. A body seen before counts as a resend and plays no turn. */
  played(key: string, playbook: Playbook, sha: string, turn: string, last: boolean): void {
    const kept = this.#of(key, playbook);
    if (kept.seen.has(sha)) {
      kept.resends++;
      return;
    }
    kept.seen.add(sha);
    kept.turns.set(turn, (kept.turns.get(turn) ?? 0) + 1);
    kept.finished ||= last;
  }

  mismatched(key: string, playbook: Playbook | null, message: string): void {
    const list = playbook ? this.#of(key, playbook).mismatches : this.#unmatched;
    if (list.length < MAX_MESSAGES) list.push(message);
  }

  report(faults: Partial<Record<FaultKind, number>>): PlaybookReport {
    const conversations = [...this.#kept].map(([key, kept]): ConversationReport => {
      const unused = kept.playbook.turns
        .filter((t) => t.optional === null && !kept.turns.has(t.name))
        .map((t) => t.name);
      const order = [...kept.playbook.turns, ...kept.playbook.detours].filter((t) => kept.turns.has(t.name));
      return {
        key,
        playbook: kept.playbook.name,
        requests: kept.seen.size,
        resends: kept.resends,
        turns: Object.fromEntries(order.map((t) => [t.name, kept.turns.get(t.name)!])),
        unused,
        mismatches: kept.mismatches,
        finished: kept.finished,
        ok: kept.finished && unused.length === 0 && kept.mismatches.length === 0,
      };
    });
    return { conversations, unmatched: this.#unmatched, faults };
  }

  clear(): void {
    this.#kept.clear();
    this.#unmatched = [];
  }

  #of(key: string, playbook: Playbook): Kept {
    let kept = this.#kept.get(key);
    if (!kept) {
      kept = { playbook, seen: new Set(), resends: 0, turns: new Map(), mismatches: [], finished: false };
      this.#kept.set(key, kept);
      const oldest = this.#kept.keys().next().value;
      if (this.#kept.size > MAX_CONVERSATIONS && oldest !== undefined) this.#kept.delete(oldest);
    }
    return kept;
  }
}
