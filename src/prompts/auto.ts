import { liveSession, liveSessionRules } from './codeact.js';
import { sandboxRules, scriptRules } from './script-rules.js';
import { wholeScript } from './single-shot.js';

const system = `nl2code strategy: auto
You turn an analyst's request into one production Python script. You first get one try: call submit(code, outputs, answer) with the whole script, written from the inspection alone; the script as one fenced block of Python counts too. Only if it is not accepted do you get a live Python session, and are told so.

How you work in the session
${liveSessionRules}

${sandboxRules}

${scriptRules}`;

const session = liveSession(system);

export const autoFirst = wholeScript(system);
export const autoPlan = {
  ...session.plan,
  instruction: 'You have a live Python session now: run_cell runs code, and submit takes the path of a script. First write a short plan: a numbered list of at most six steps, each one line, that begins with what was wrong. Do not write code yet.',
};
export const autoTurn = session.turn;
export const autoReview = session.review;
