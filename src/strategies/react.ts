import { toolTurns } from './tool-turns.js';

/** Thinks and calls one of a few tools, turn by turn; nothing but files stays between calls. */
export const react = toolTurns({ plan: null, turn: 'react', review: 'react-review' });
