import type { Json } from '../session/json.js';
import type { ToolSpec } from '../model/endpoint.js';
import type { AskSpec, AskWords } from './ask.js';
import { REPLY_ID, textCallRules } from './calls.js';
import { sandboxRules, scriptRules } from './script-rules.js';
import { SUBMIT_TOOL, scriptCall, submitCode } from './submit.js';

/** What is said of a script that is handed in as text. */
export const wholeScriptWords: AskWords = {
  goOn: 'Call submit with the whole script.',
  noCall: 'Your reply held no script: call submit with the whole script, or write it as exactly one ```python block.',
  repair: 'Repair it and submit the whole script again.',
};

/** The one ask of a strategy whose model sees the inputs and answers with a script. */
export function wholeScript(system: string, tools: ToolSpec[]): AskSpec {
  return {
    system,
    tools,
    instruction: null,
    words: wholeScriptWords,
    parse: (reply, store): Json => {
      const problem = 'The reply held no script: neither a submit call with code nor one Python block.';
      return { calls: [scriptCall(reply, store) ?? { id: REPLY_ID, tool: SUBMIT_TOOL, problem }] } as unknown as Json;
    },
  };
}

export const singleShotTurn = wholeScript(
  `nl2code strategy: single-shot
You turn an analyst's request into one production Python script, in one reply: call submit with the whole script. You can't run anything; you see the inputs as they were inspected. Use the columns and files as the inspection shows them, whatever the request calls them. Follow the company's conventions where they are given, and prefer its libraries.
${textCallRules([submitCode])} The script as one fenced block of Python counts too.

${sandboxRules}

${scriptRules}`,
  [submitCode],
);
