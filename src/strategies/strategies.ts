import type { StrategyName } from '../session/request.js';
import { auto } from './auto.js';
import { chained } from './chained.js';
import { codeact } from './codeact.js';
import { react } from './react.js';
import { singleShot } from './single-shot.js';
import type { Strategy } from './strategy.js';

/** Every strategy by the name a request uses. Adding one: its file, its asks in prompts/, its name in session/request, a line here. */
export const strategies: Record<StrategyName, Strategy> = {
  codeact: codeact as unknown as Strategy,
  'single-shot': singleShot as unknown as Strategy,
  chained: chained as unknown as Strategy,
  react: react as unknown as Strategy,
  auto: auto as unknown as Strategy,
};
