import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Hash } from '../session/json.js';
import type { StepKind } from '../session/step.js';
import { Blobs, sha256 } from './blobs.js';
import { Chain } from './chain.js';
import { EventWriter, readEvents } from './event-log.js';
import { syncFolder, type Durability } from './file.js';
import { ToolMemo } from './tool-memo.js';

/** The session that a fork was made of, and where. */
export interface ForkedFrom {
  session: string;
  /** The last record that both have, and the last cell up to it; -1 when there is none. */
  record: Hash;
  cell: number;
  /** The session that began by itself: the one that what both have seen was masked for. */
  first: string;
}

/** Everything kept of one session: `sessions/<name>/{blobs,records,memo,events,tools,head,runs,forked.json,summary.json,inputs,truth,sandbox,verify}`. */
export class SessionFolder {
  readonly blobs: Blobs;
  readonly chain: Chain;
  /** What calls of tools were told. */
  readonly tools: ToolMemo;
  constructor(
    readonly path: string,
    readonly durability: Durability,
  ) {
    this.blobs = new Blobs(join(path, 'blobs'), durability);
    this.chain = new Chain(path, durability);
    this.tools = new ToolMemo(path, durability);
  }

  /** Makes the folders; harmless to repeat. */
  create(): this {
    const fresh = !existsSync(join(this.path, 'truth'));
    for (const name of ['blobs', 'records', 'memo', 'events', 'inputs', 'truth']) mkdirSync(join(this.path, name), { recursive: true, mode: 0o700 });
    if (fresh) for (const folder of [this.path, dirname(this.path), dirname(dirname(this.path))]) syncFolder(folder, this.durability);
    return this;
  }

  /** Keeps the session's id where the folder's name does not tell it, as of a run that a Schedule started. */
  nameIt(id: string): void {
    if (this.id !== id) writeFileSync(join(this.path, 'id'), id, { mode: 0o600 });
  }
  get id(): string | undefined {
    try {
      return readFileSync(join(this.path, 'id'), 'utf8');
    } catch {
      return undefined;
    }
  }

  get inputs(): string {
    return join(this.path, 'inputs');
  }
  get truth(): string {
    return join(this.path, 'truth');
  }
  /** Size of an admitted file; undefined when it is not there. */
  bytesOf(parent: string, name: string): number | undefined {
    return statSync(join(parent, name), { throwIfNoEntry: false })?.size;
  }

  /** Where a forked session comes from; undefined for one that began by itself. */
  get forked(): ForkedFrom | undefined {
    try {
      return JSON.parse(readFileSync(join(this.path, 'forked.json'), 'utf8')) as ForkedFrom;
    } catch {
      return undefined;
    }
  }

  /** Host folder of the session's sandbox. */
  get sandbox(): string {
    return join(this.path, 'sandbox');
  }
  /** Parent of throw-away verification sandboxes. */
  get verify(): string {
    return join(this.path, 'verify');
  }
  /** What a list shows of the session; see summary.ts. */
  get summary(): string {
    return join(this.path, 'summary.json');
  }
  get trace(): string {
    return join(this.path, 'trace.jsonl');
  }

  events(key: { seq: number; attempt: number; step: StepKind }): EventWriter {
    return new EventWriter(join(this.path, 'events', 'log.jsonl'), key);
  }

  /** Where the event log ends now. */
  get eventBytes(): number {
    return statSync(join(this.path, 'events', 'log.jsonl'), { throwIfNoEntry: false })?.size ?? 0;
  }

  readEvents(from = 0): ReturnType<typeof readEvents> {
    return readEvents(join(this.path, 'events', 'log.jsonl'), from);
  }
}

/** Folder name of a session: its id when that is a plain name, else derived from it. */
export function folderName(session: string): string {
  return /^[a-z0-9][a-z0-9-]{0,63}$/.test(session) ? session : `x-${sha256(session).slice(0, 32)}`;
}

const OPEN_SESSIONS = 256;

/** The session store on a file system. One per process; safe for several processes and workers on one folder. */
export class SessionStore {
  private readonly open = new Map<string, SessionFolder>();
  constructor(
    /** Absolute data directory. */
    readonly root: string,
    readonly durability: Durability = 'process',
  ) {}

  /** The folder of a session, made when missing. */
  session(id: string): SessionFolder {
    const known = this.open.get(id);
    if (known) {
      this.open.delete(id);
      this.open.set(id, known);
      return known;
    }
    const folder = this.at(id).create();
    if (folderName(id) !== id) folder.nameIt(id);
    this.open.set(id, folder);
    for (const oldest of this.open.keys()) {
      if (this.open.size <= OPEN_SESSIONS) break;
      this.open.delete(oldest);
    }
    return folder;
  }

  /** The folder of a session, without making it. */
  at(id: string): SessionFolder {
    return new SessionFolder(join(this.root, 'sessions', folderName(id)), this.durability);
  }

  has(id: string): boolean {
    return statSync(this.at(id).path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  }

  /** Ids of all sessions, newest change first. */
  list(): string[] {
    const parent = join(this.root, 'sessions');
    let names: string[];
    try {
      names = readdirSync(parent);
    } catch {
      return [];
    }
    const at = (name: string) => statSync(join(parent, name, 'head'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
    return names
      .map((name) => ({ name, ms: at(name) }))
      .sort((a, b) => b.ms - a.ms)
      .map(({ name }) => (name.startsWith('x-') ? this.at(name).id : undefined) ?? name);
  }
}
