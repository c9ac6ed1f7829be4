import type { ModelReply } from '../model/endpoint.js';
import type { Hash, Json } from '../session/json.js';
import type { Call } from '../session/step.js';
import { callArguments, tool, type AskSpec } from './ask.js';
import { sandboxRules, scriptRules } from './script-rules.js';

const submit = tool('submit', 'Hand in the final script. It is verified in fresh sandboxes.', {
  code: { type: 'string', description: 'The whole script.' },
  outputs: { type: 'array', items: { type: 'string' }, description: 'Every file the script writes, as relative paths.' },
  answer: { type: 'string', description: 'Two to four sentences for the requester: what the script does.' },
});

/** The script of a reply: the submit call's code, else the only fenced Python block of its text. */
export function scriptOf(reply: ModelReply): string | undefined {
  const raw = reply.calls.find((call) => call.name === submit.name);
  const code = raw && callArguments(raw.arguments)?.code;
  if (typeof code === 'string' && code.trim()) return code;
  const blocks = [...reply.content.matchAll(/```(?:python|py)\s*\n([\s\S]*?)```/g)];
  return blocks.length === 1 ? blocks[0]![1] : undefined;
}

export const singleShotTurn: AskSpec = {
  system: `nl2code strategy: single-shot
You turn an analyst's request into one production Python script, in one reply: call submit with the whole script. You can't run anything; you see the inputs as they were inspected. Use the columns and files as the inspection shows them, whatever the request calls them. Follow the company's conventions where they are given, and prefer its libraries.

${sandboxRules}

${scriptRules}`,
  tools: [submit],
  instruction: null,
  parse: (reply, store: (code: string) => Hash): Json => {
    const code = scriptOf(reply);
    const id = reply.calls.find((call) => call.name === submit.name)?.id ?? 'reply';
    const call: Call = code ? { id, tool: submit.name, code: store(code) } : { id, tool: submit.name, problem: 'The reply held no script: neither a submit call with code nor one Python block.' };
    return { calls: [call] } as unknown as Json;
  },
};
