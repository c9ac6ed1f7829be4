import type { AskSpec } from './ask.js';
import { codeactPlan, codeactReview, codeactTurn } from './codeact.js';
import { singleShotTurn } from './single-shot.js';

/** Every ask by the name strategies use. */
export const asks: Readonly<Record<string, AskSpec>> = {
  'codeact-plan': codeactPlan,
  codeact: codeactTurn,
  'codeact-review': codeactReview,
  'single-shot': singleShotTurn,
};
