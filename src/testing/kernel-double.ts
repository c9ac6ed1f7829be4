import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import type { Kernels } from '../kernel/kernels.js';
import type { WireReply } from '../kernel/protocol.js';
import { answerTo } from '../kernel/tool-answer.js';
import type { OnTool } from '../kernel/tool-call.js';
import type { Json } from '../session/json.js';
import { isLook } from '../activities/exposure.js';
import { LOOK_FILE, NOTHING_HELD } from '../exposure/sensitive.js';

/** Calls a tool as code in the cell would: checked, kept and answered once. Rejects with what would be raised there. */
export type CallTool = (name: string, args?: Record<string, Json>) => Promise<Json>;

export interface KernelDoubleOptions {
  /** What a cell shows, or the error it raises; nothing when missing. `call` calls the tools that the plugin was given and the request allows. */
  cell?(code: string, call: CallTool): string | { error: string } | Promise<string | { error: string }>;
}

const WRITEFILE = /^\s*%%writefile +(\S+)[^\n]*\n/;

/**
 * A kernel that runs no Python. Cells that begin with `%%writefile` leave their file in the session's workspace, the inspection names the
 * inputs, and every other cell shows what the test says.
 */
export function kernelDouble({ cell = () => '' }: KernelDoubleOptions = {}): Kernels {
  return {
    async runCell({ folder, inputs }, { code, k }, { signal, onTool }) {
      signal.throwIfAborted();
      if (isLook(code)) noteNothing(join(folder, 'checkpoint'));
      const seen = isLook(code) ? `(not inspected: the kernel is a double) ${inputs.map(({ name }) => name).join(', ')}` : (written(join(folder, 'workspace'), code) ?? (await cell(code, calling(k, onTool))));
      return { reply: reply(seen), attachments: [], cached: false, saved: 'local', again: [] };
    },
    release() {},
    async end() {},
    async close() {},
  };
}

/** Numbers the calls of one cell as its kernel would. */
function calling(k: number, onTool: OnTool | undefined): CallTool {
  let calls = 0;
  return async (name, args = {}) => {
    const answer = await answerTo({ k, call: calls++, name, args, replay: false }, onTool);
    if (answer.ok) return answer.value;
    throw Object.assign(new Error(answer.error.message), { name: answer.error.type });
  };
}

/** As the guest does of inputs without a value that a model may not read. */
function noteNothing(checkpoint: string): void {
  mkdirSync(checkpoint, { recursive: true });
  writeFileSync(join(checkpoint, LOOK_FILE), JSON.stringify(NOTHING_HELD));
}

/** Keeps the file of a `%%writefile` cell, and says so as the guest does. Undefined for other cells. */
function written(workspace: string, code: string): string | { error: string } | undefined {
  const [head, name] = WRITEFILE.exec(code) ?? [];
  if (head === undefined || name === undefined) return undefined;
  const path = normalize(join(workspace, name));
  // The code comes from a model, and here is no sandbox.
  if (!path.startsWith(`${workspace}/`)) return { error: `${name} is outside of the session's folder` };
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, code.slice(head.length));
  return `Wrote ${name}\n`;
}

function reply(seen: string | { error: string }): WireReply {
  const text = (value: string) => ({ text: value, omitted: 0 });
  const failed = typeof seen !== 'string';
  return {
    ended: failed ? 'error' : 'ok',
    stdout: text(failed ? '' : seen),
    stderr: text(''),
    result: null,
    displays: [],
    error: failed ? { type: 'Error', message: seen.error, traceback: `Error: ${seen.error}` } : null,
    ms: 0,
    restored: null,
    unsaved: null,
  };
}
