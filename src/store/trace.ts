import { renameSync } from 'node:fs';
import type { Hash, TextRef } from '../session/json.js';
import { writeTemporary } from './file.js';
import type { SessionFolder } from './session-store.js';

/** A session's chain as JSON lines, oldest first: every model call, cell, output, error, decision and cost, with texts in place of references. */
export function traceLines(folder: SessionFolder, head: Hash | null = folder.chain.head()): string[] {
  const open = (ref: TextRef | undefined): unknown => {
    if (!ref) return undefined;
    const text = folder.blobs.text(ref);
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return text;
    }
  };
  /** What was seen and, of a cell, the tools it called. */
  const observed = (observation: unknown) => {
    const { kind, k } = (observation ?? {}) as { kind?: unknown; k?: unknown };
    const calls = kind === 'cell' && typeof k === 'number' ? folder.tools.calls(k) : [];
    return { observation, ...(calls.length > 0 ? { calls } : {}) };
  };
  return folder.chain.walk(head).map(({ hash, record }) => {
    const { refs, sent, ...rest } = record;
    const line = {
      record: hash,
      ...rest,
      ...(refs.reply ? { reply: open(refs.reply) } : {}),
      ...(refs.code ? { code: folder.blobs.read(refs.code) } : {}),
      ...(refs.observation ? observed(open(refs.observation)) : {}),
      ...(refs.tools ? { tools: open(refs.tools) } : {}),
      ...(refs.kernel ? { kernel: refs.kernel } : {}),
      ...(sent ? { sent: { base: sent.base, sha: sent.sha, add: open(sent.add) } } : {}),
    };
    return `${JSON.stringify(line)}\n`;
  });
}

/** Writes the trace beside the chain, whole or not at all. */
export function writeTrace(folder: SessionFolder, head: Hash): void {
  renameSync(writeTemporary(folder.path, traceLines(folder, head).join(''), 'process'), folder.trace);
}
