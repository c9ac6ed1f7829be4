/**
 * What the calls of a session's cells asked and were told, one name for each `(cell, call)`:
 * `tools/<k>.<call>.begun-<n>` before the n-th attempt at the effect, `tools/<k>.<call>.answered` after it, `tools/origin` once.
 * Invariants:
 * (1) a file is complete before it has its name, and a name is given once: the first link wins, and every later writer reads the winner;
 * (2) with durability `host`, a name that was given survives a power cut before anything follows from it.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ToolCallRecord, UncertainCall } from '../session/bridged-tool.js';
import { canonical } from '../session/canonical.js';
import { Nl2codeError } from '../session/error-table.js';
import type { Hash, Json } from '../session/json.js';
import { sha256 } from './blobs.js';
import { linkIfAbsent, shareFile, syncFolder, writeTemporary, writing, type Durability } from './file.js';

/** One call of a cell: cells and calls are counted from 0. */
export interface CallPlace {
  k: number;
  call: number;
}

/** An attempt at the effect of a call. */
export interface BegunCall {
  name: string;
  args: Json;
  /** Of name and arguments. */
  sha: Hash;
  /** What the tool is given as its idempotency key. */
  key: string;
  /** Number of the attempt, from 1. */
  attempt: number;
  /** Who makes it: a process of a host. */
  owner: { host: string; pid: number; startTime: string };
  /** Unix time in milliseconds: when it began, and when nobody can be at it any more. */
  at: number;
  until: number;
}

/** What a call came to, for ever. */
export type AnsweredCall = {
  name: string;
  sha: Hash;
  /** Of a call that was refused before any attempt. */
  args?: Json;
  at: number;
  /** Null where nobody was there at the end. */
  ms: number | null;
} & ({ ok: true; value: Json } | { ok: false; error: { type: string; message: string } });

const UNCERTAIN = 'Uncertain';
const KNOWN_SIZES = 64;

/** Name and arguments as one hash: equal for equal calls, whatever the order of their members. */
export const callSha = (name: string, args: Json): Hash => sha256(canonical([name, args]));

/** The calls of one session. */
export class ToolMemo {
  private readonly folder: string;
  private origin: string | undefined;
  /** Bytes that this process knows of, by cell. */
  private readonly sizes = new Map<number, number>();

  constructor(
    session: string,
    private readonly durability: Durability,
  ) {
    this.folder = join(session, 'tools');
  }

  /** What to give an outside party as idempotency key: the same for every attempt at a call, and for no other call of any session. */
  key(session: string, { k, call }: CallPlace): string {
    this.origin ??= this.madeOrigin();
    return `nl2code-${sha256(canonical([this.origin, session, k, call])).slice(0, 40)}`;
  }

  /** The newest attempt at a call. */
  begun(place: CallPlace): BegunCall | undefined {
    let newest: BegunCall | undefined;
    for (let n = 1; ; n += 1) {
      const next = this.read<BegunCall>(`${named(place)}.begun-${n}`);
      if (!next) return newest;
      newest = next;
    }
  }

  /** Put-if-absent: true for the one whose attempt it is. */
  begin(place: CallPlace, begun: BegunCall): boolean {
    return this.put(`${named(place)}.begun-${begun.attempt}`, begun);
  }

  answered(place: CallPlace): AnsweredCall | undefined {
    return this.read<AnsweredCall>(`${named(place)}.answered`);
  }

  /** Put-if-absent; returns the winner, whoever it is. */
  answer(place: CallPlace, answered: AnsweredCall): AnsweredCall {
    const name = `${named(place)}.answered`;
    return this.put(name, answered) ? answered : this.read<AnsweredCall>(name)!;
  }

  /** What the calls of cell `k` take, as far as this process has seen them made. */
  bytes(k: number): number {
    const known = this.sizes.get(k) ?? this.names().reduce((sum, name) => sum + (name.startsWith(`${k}.`) ? (statSync(join(this.folder, name), { throwIfNoEntry: false })?.size ?? 0) : 0), 0);
    this.sizes.delete(k);
    this.sizes.set(k, known);
    for (const oldest of this.sizes.keys()) {
      if (this.sizes.size <= KNOWN_SIZES) break;
      this.sizes.delete(oldest);
    }
    return known;
  }

  /** Every call of cell `k`, in order. */
  calls(k: number): ToolCallRecord[] {
    return this.places(k).map((place) => this.record(place));
  }

  /** The calls of cell `k` of which nobody knows whether they took effect. */
  uncertain(k: number): UncertainCall[] {
    return this.places(k).flatMap((place) => {
      const answered = this.answered(place);
      if (answered && (answered.ok || answered.error.type !== UNCERTAIN)) return [];
      return [{ call: place.call, name: (answered ?? this.begun(place))!.name }];
    });
  }

  /**
   * Takes over what the calls of cells up to `last` asked another session's tools, and were told; never what makes its keys. A call that has no
   * answer there gets the one that is given: its effect is the other session's, so nothing may be done again here.
   */
  takeOver(from: ToolMemo, last: number, unanswered: (place: CallPlace, begun: BegunCall) => AnsweredCall): void {
    const calls = from.names().filter((name) => {
      const [, k] = /^(\d+)\.\d+\.(?:begun-\d+|answered)$/.exec(name) ?? [];
      return k !== undefined && Number(k) <= last;
    });
    if (calls.length === 0) return;
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    for (const name of calls) shareFile(join(from.folder, name), join(this.folder, name), this.durability);
    for (const k of new Set(calls.map((name) => Number.parseInt(name, 10)))) {
      for (const place of this.places(k)) {
        const begun = this.begun(place);
        if (begun && !this.answered(place)) this.answer(place, unanswered(place, begun));
      }
    }
    syncFolder(this.folder, this.durability);
  }

  private record(place: CallPlace): ToolCallRecord {
    const begun = this.begun(place);
    const answered = this.answered(place);
    const { name, at } = (begun ?? answered)!;
    const { call } = place;
    const base = { call, name, args: begun?.args ?? answered?.args ?? null, key: begun?.key ?? null, at };
    if (!answered) return { ...base, outcome: 'uncertain', ms: null };
    const { ms } = answered;
    if (answered.ok) return { ...base, outcome: 'answered', value: answered.value, ms };
    return { ...base, outcome: answered.error.type === UNCERTAIN ? 'uncertain' : 'error', error: answered.error, ms };
  }

  private names(): string[] {
    try {
      return readdirSync(this.folder);
    } catch {
      return [];
    }
  }

  private places(k: number): CallPlace[] {
    const calls = this.names().flatMap((name) => {
      const [, cell, call] = /^(\d+)\.(\d+)\.(?:begun-1|answered)$/.exec(name) ?? [];
      return Number(cell) === k ? [Number(call)] : [];
    });
    return [...new Set(calls)].sort((a, b) => a - b).map((call) => ({ k, call }));
  }

  /** What tells this folder from any other that ever had a session of this name. */
  private madeOrigin(): string {
    const random = { origin: randomBytes(16).toString('hex') };
    return this.put('origin', random) ? random.origin : this.read<typeof random>('origin')!.origin;
  }

  private read<T>(name: string): T | undefined {
    let text: string;
    try {
      text = readFileSync(join(this.folder, name), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    try {
      return JSON.parse(text) as T;
    } catch (error) {
      throw new Nl2codeError('store-corrupt', `The record tools/${name} of a tool's call can't be read.`, { cause: error });
    }
  }

  private put(name: string, value: object): boolean {
    return writing("A tool's call", () => {
      if (mkdirSync(this.folder, { recursive: true, mode: 0o700 }) !== undefined) syncFolder(dirname(this.folder), this.durability);
      const text = JSON.stringify(value);
      const temporary = writeTemporary(this.folder, text, this.durability);
      const won = linkIfAbsent(temporary, join(this.folder, name));
      const k = Number.parseInt(name, 10);
      if (this.sizes.has(k)) this.sizes.set(k, this.sizes.get(k)! + text.length);
      unlinkSync(temporary);
      // Whoever gave the name first may have died before it synced it.
      syncFolder(this.folder, this.durability);
      return won;
    });
  }
}

const named = ({ k, call }: CallPlace): string => `${k}.${call}`;
