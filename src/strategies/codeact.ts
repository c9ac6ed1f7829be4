import { toolTurns } from './tool-turns.js';

/** Plans, then writes cells in one persistent kernel until it submits a script. */
export const codeact = toolTurns({ plan: 'codeact-plan', turn: 'codeact', review: 'codeact-review' });
