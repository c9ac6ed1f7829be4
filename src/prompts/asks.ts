import type { AskSpec } from './ask.js';
import { autoFirst, autoPlan, autoReview, autoTurn } from './auto.js';
import { chainedPlan, chainedReview, chainedScript, chainedStep } from './chained.js';
import { codeact } from './codeact.js';
import { reactReview, reactTurn } from './react.js';
import { singleShotTurn } from './single-shot.js';

/** Every ask by the name strategies use. */
export const asks: Readonly<Record<string, AskSpec>> = {
  'codeact-plan': codeact.plan,
  codeact: codeact.turn,
  'codeact-review': codeact.review,
  'single-shot': singleShotTurn,
  'chained-plan': chainedPlan,
  'chained-step': chainedStep,
  'chained-review': chainedReview,
  'chained-script': chainedScript,
  react: reactTurn,
  'react-review': reactReview,
  'auto-first': autoFirst,
  'auto-plan': autoPlan,
  auto: autoTurn,
  'auto-review': autoReview,
};
