import type { AskSpec } from './ask.js';
import { liveSession, liveSessionRules } from './codeact.js';
import { planRules, planTool } from './plan-ask.js';
import { reviewTool } from './review-ask.js';
import { runCell } from './run-cell.js';
import { sandboxRules, scriptRules } from './script-rules.js';
import { wholeScript } from './single-shot.js';
import { submitEither } from './submit.js';

const tools = [planTool, runCell, submitEither, reviewTool];

const system = `nl2code strategy: auto
You turn an analyst's request into one production Python script. You first get one try: call submit(code, outputs, answer) with the whole script, written from the inspection alone; the script as one fenced block of Python counts too. Only if it is not accepted do you get a live Python session, and are told so.

How you work in the session
${liveSessionRules(tools)}

${planRules}

${sandboxRules}

${scriptRules}`;

const session = liveSession(system, tools, 'You have a live Python session now: run_cell runs code, and submit takes the path of a script. The first step of the plan says what was wrong. ');

export const autoFirst: AskSpec = { ...wholeScript(system, tools), calling: 'cell' };
export const autoPlan = session.plan;
export const autoTurn = session.turn;
export const autoReview = session.review;
