import type { Json } from '../session/json.js';
import type { ToolRequest } from '../kernel/tool-call.js';

const ARGS_CHARS = 120;

type Place = Pick<ToolRequest, 'k' | 'call' | 'name'>;

/** Why nobody knows whether a call took effect. */
export const WHY_UNKNOWN = {
  died: 'its worker ended before it was told the answer',
  over: 'its cell ended before it answered',
  forked: 'it had no answer when the session was forked',
  late: (seconds: number) => `it did not answer within ${seconds} s`,
};

/** What is raised for a call of which nobody knows whether it took effect. */
export function unknownEffect({ k, call, name }: Place, why: string): { type: string; message: string } {
  return { type: 'Uncertain', message: `Whether call ${call} of cell ${k}, ${name}, took effect is not known: ${why}. Find out whether it did before you call it again.` };
}

/** Why another call than the recorded one is refused. */
export function otherCall({ k, call, name, args }: Omit<ToolRequest, 'replay'>, before: string, argsBefore: Json): string {
  return (
    `Call ${call} of cell ${k} was ${shown(before, argsBefore)} when the cell ran before, and is ${shown(name, args)} now, so it was not made: ` +
    'a cell that runs again must make the same calls in the same order, whatever the clock, chance, threads and the order of sets say.'
  );
}

/** Why a call of a cell that is only computed again has no answer. */
export function noAnswerRecorded({ k, call, name }: Place): string {
  return `Call ${call} of cell ${k}, ${name}, has no recorded answer, and nothing may happen while the cell is computed again.`;
}

/** Why a tool that failed did so. */
export const failed = (name: string, why: string): string => `The tool ${name} failed: ${why}`;
/** Why an answer is not told. */
export const noPlainAnswer = (name: string, what: string): string => `The tool ${name} ran, but its answer can't be handed over: it holds ${what}.`;
/** Why there is no such tool. */
export const noSuchTool = (name: string, may: readonly string[]): string => `There is no tool ${JSON.stringify(name.slice(0, 64))} here: ${may.length > 0 ? `code may call ${[...may].sort().join(', ')}` : 'this request allows none'}.`;
/** Why an argument is not taken. */
export const strayArgument = (name: string, argument: string, known: readonly string[]): string => `The tool ${name} does not take ${JSON.stringify(argument.slice(0, 64))}: its arguments are ${known.join(', ') || 'none'}.`;
/** Why arguments are not taken. */
export const wrongArguments = (name: string, why: string): string => `The tool ${name} does not take these arguments: ${why}.`;
/** Why one cell may not go on calling. */
export const tooManyCalls = (most: number): string => `One cell may call tools ${most.toLocaleString('en-US')} times: do the rest in the next one, or give a tool more at once.`;
/** Why one cell may not hand over more. */
export const tooManyBytes = (most: number): string => `What one cell asks tools and is told may have ${most.toLocaleString('en-US')} bytes in all: do the rest in the next one, or hand over less.`;

/** Every sentence of ours that code may be told of tools of these names. Their words are no data. Pure. */
export function bridgeSentences(names: readonly string[]): string[] {
  const place = { k: 0, call: 0, args: null };
  const general = [noSuchTool('', []), noSuchTool('', names), tooManyCalls(0), tooManyBytes(0), 'ToolError', 'NonDeterministicReplay', 'Uncertain', 'nl2code.tools'];
  const each = (name: string) => [
    ...[WHY_UNKNOWN.died, WHY_UNKNOWN.over, WHY_UNKNOWN.forked, WHY_UNKNOWN.late(0)].map((why) => unknownEffect({ ...place, name }, why).message),
    otherCall({ ...place, name }, name, null),
    noAnswerRecorded({ ...place, name }),
    failed(name, 'it gave no reason'),
    noPlainAnswer(name, 'something nested deeper than bytes more than, which is no JSON: ask it for less'),
    strayArgument(name, '', []),
    wrongArguments(name, 'Invalid input: expected string number int array object boolean received undefined null, Invalid option: expected one of, Too big: expected to have items characters, Too small'),
  ];
  return [...general, ...names.flatMap(each)];
}

function shown(name: string, args: Json): string {
  const text = args === null ? '…' : JSON.stringify(args).slice(1, -1);
  return `${name.slice(0, 64)}(${text.length > ARGS_CHARS ? `${text.slice(0, ARGS_CHARS - 1)}…` : text})`;
}
