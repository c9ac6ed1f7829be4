import type { Json } from '../session/json.js';
import type { ToolRequest } from '../kernel/tool-call.js';

const ARGS_CHARS = 120;

type Place = Pick<ToolRequest, 'k' | 'call' | 'name'>;

/** What is raised for a call of which nobody knows whether it took effect. */
export function unknownEffect({ k, call, name }: Place, why: string): { type: string; message: string } {
  return { type: 'Uncertain', message: `Whether call ${call} of cell ${k}, ${name}, took effect is not known: ${why}. Find out whether it did before you call it again.` };
}

/** Why another call than the recorded one is refused. */
export function otherCall({ k, call, name, args }: ToolRequest, before: string, argsBefore: Json): string {
  return (
    `Call ${call} of cell ${k} was ${shown(before, argsBefore)} when the cell ran before, and is ${shown(name, args)} now, so it was not made: ` +
    'a cell that runs again must make the same calls in the same order, whatever the clock, chance, threads and the order of sets say.'
  );
}

/** Why a call of a cell that is only computed again has no answer. */
export function noAnswerRecorded({ k, call, name }: Place): string {
  return `Call ${call} of cell ${k}, ${name}, has no recorded answer, and nothing may happen while the cell is computed again.`;
}

function shown(name: string, args: Json): string {
  const text = args === null ? '…' : JSON.stringify(args).slice(1, -1);
  return `${name.slice(0, 64)}(${text.length > ARGS_CHARS ? `${text.slice(0, ARGS_CHARS - 1)}…` : text})`;
}
