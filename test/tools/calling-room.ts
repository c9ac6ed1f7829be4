import { appendFileSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { ToolAnswer } from '../../src/kernel/tool-call.js';
import type { Json } from '../../src/session/json.js';
import { SessionStore, type SessionFolder } from '../../src/store/session-store.js';
import type { Tool, ToolCallContext } from '../../src/tools/tool.js';
import { ToolBridge, type CellTools } from '../../src/tools/tool-bridge.js';

export type Run = (args: Record<string, unknown>, call: ToolCallContext) => unknown;

/** A session on a new folder, with one tool `append` that notes each effect in a file. */
export interface CallingRoom {
  root: string;
  folder: SessionFolder;
  /** A bridge as a new worker has it, and the tools of one run of a cell. */
  cell(options?: { run?: Run; allowed?: string[]; allow?: string[] | null; tools?: Tool[] } & Partial<Pick<Tool, 'idempotency' | 'timeoutMs'>>): CellTools;
  /** Asks `append`; cell 7, call 0 unless said otherwise. */
  ask(cell: CellTools, args: Json, more?: { k?: number; call?: number; name?: string; replay?: boolean }): Promise<ToolAnswer>;
  /** Notes an effect. */
  effect(text: string): void;
  effects(): string[];
}

export function callingRoom(durability: 'process' | 'host' = 'process'): CallingRoom {
  const root = mkdtempSync(join(tmpdir(), 'nl2code-tools-'));
  const folder = new SessionStore(root, durability).session('calls');
  const file = join(root, 'effects');
  const effect = (text: string) => appendFileSync(file, `${text}\n`);
  const usual: Run = ({ text }, { key }) => {
    effect(`${key} ${String(text)}`);
    return { length: String(text).length };
  };
  return {
    root,
    folder,
    cell: ({ run = usual, allowed = ['append'], allow = null, tools, ...more } = {}) =>
      new ToolBridge(tools ?? [{ name: 'append', description: 'Appends a line.', parameters: z.object({ text: z.string() }), idempotency: 'none', run, ...more }], allow).cell({ folder, session: 'calls', allowed }),
    ask: (cell, args, { k = 7, call = 0, name = 'append', replay = false } = {}) => cell.answer({ k, call, name, args, replay }),
    effect,
    effects() {
      try {
        return readFileSync(file, 'utf8').trimEnd().split('\n');
      } catch {
        return [];
      }
    },
  };
}

/** The attempt of a process that is dead: as it is left by a worker that died in a call. */
export function leaveBegun({ folder }: CallingRoom, args: Json, sha: string, place = { k: 7, call: 0 }): void {
  const at = Date.now();
  folder.tools.begin(place, { name: 'append', args, sha, key: folder.tools.key('calls', place), attempt: 1, owner: { host: 'gone', pid: 1, startTime: '' }, at: at - 60_000, until: at - 1 });
}
