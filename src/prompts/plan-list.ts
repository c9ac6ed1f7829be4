import type { Json } from '../session/json.js';
import { jsonIn } from './json-in-text.js';

/** Steps of a plan that are worked on one by one; the script at the end is asked for the whole plan. */
export const MAX_PLAN_STEPS = 10;

/** How many steps the plan in a reply has: a JSON list of texts or objects, alone or as a member of an object, whatever stands around it. The longest list counts. Pure. */
export function planSteps(text: string): number {
  const lists = jsonIn(text).flatMap(listsIn).filter((list) => list.every(isStep));
  const longest = Math.max(0, ...lists.map((list) => list.length));
  return Math.min(longest, MAX_PLAN_STEPS);
}

function listsIn(value: Json): Json[][] {
  if (Array.isArray(value)) return [value];
  return value !== null && typeof value === 'object' ? Object.values(value).filter((member) => Array.isArray(member)) : [];
}

const isStep = (step: Json): boolean => (typeof step === 'string' ? step.trim() !== '' : step !== null && typeof step === 'object' && !Array.isArray(step));
