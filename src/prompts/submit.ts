import type { ModelReply, RawCall } from '../model/endpoint.js';
import type { Hash } from '../session/json.js';
import type { Call } from '../session/step.js';
import { callArguments, tool } from './ask.js';
import { callsOf, REPLY_ID } from './calls.js';
import { pythonBlock } from './code-blocks.js';

/** Name of the tool that ends the work. */
export const SUBMIT_TOOL = 'submit';

const outputs = { type: 'array', items: { type: 'string' }, description: 'Every file the script writes, as relative paths.' };
const answer = { type: 'string', description: 'Two to four sentences for the requester: what was done and what was found, with figures.' };

/** Hands in a script that stands in the workspace. */
export const submitPath = tool(SUBMIT_TOOL, 'Hand in the final script. It is verified in fresh sandboxes; if that finds faults you see them and may repair and submit again.', {
  path: { type: 'string', description: 'Path of the script, relative to the current directory.' },
  outputs,
  answer,
});

/** Hands in a script as text. */
export const submitCode = tool(SUBMIT_TOOL, 'Hand in the final script. It is verified in fresh sandboxes.', {
  code: { type: 'string', description: 'The whole script.' },
  outputs,
  answer: { ...answer, description: 'Two to four sentences for the requester: what the script does.' },
});

/** Hands in a script either way: what counts is asked for. */
export const submitEither = tool(
  SUBMIT_TOOL,
  'Hand in the final script. It is verified in fresh sandboxes.',
  {
    code: { type: 'string', description: 'The whole script, in the first try.' },
    path: { type: 'string', description: 'Path of the script in the live session, relative to the current directory.' },
    outputs,
    answer,
  },
  ['code', 'path'],
);

/** A call of `submitPath` as the workflow sees it. */
export function pathCall(base: { id: string; tool: string }, args: Record<string, unknown>): Call {
  if (typeof args.path !== 'string' || !args.path.trim()) return { ...base, problem: 'submit needs "path", the script file written before.' };
  return { ...base, path: args.path.slice(0, 500) };
}

/** The script that a reply hands in: the code of its submit call, else its only Python block. Undefined when it holds none. */
export function scriptCall(reply: ModelReply, store: (code: string) => Hash): Call | undefined {
  const raw: RawCall | undefined = callsOf(reply).find((call) => call.name === SUBMIT_TOOL);
  const code = raw && callArguments(raw.arguments)?.code;
  if (raw && typeof code === 'string' && code.trim()) return { id: raw.id, tool: SUBMIT_TOOL, code: store(code) };
  const block = pythonBlock(reply.content);
  return block === undefined ? undefined : { id: raw?.id ?? REPLY_ID, tool: SUBMIT_TOOL, code: store(block) };
}
