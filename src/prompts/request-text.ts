import { exposureOf, type Exposure } from '../session/exposure.js';
import type { Request, RequestLimits } from '../session/request.js';

const FOLLOW_UP = 'The requester goes on in the same session. Your variables and files are as you left them, unless a result says that they were lost. Change the script of the last request so that it does what is asked now and still what was asked before, run it, and submit it whole.';

/** What a model must know of what it can't read. */
const HIDDEN: Record<Exposure, string> = {
  full: '',
  masked: 'Names, addresses, long ids and free text of the inputs are hidden from you, not from your code: you see placeholders such as ‹name k3x9p›, equal ones for equal values. Never write a placeholder into code.',
  schema: 'The content of the inputs is hidden from you, not from your code: you see types, shapes, names of columns and classes of errors only. Write code that checks what it needs itself, and print nothing to look at.',
};

/** The message that opens a request: what is asked, what it gives and promises, and what the context pack says. */
export function requestText(request: Request, packText: string): string {
  const parts = request.follows ? [`Follow-up request\n${request.prompt.trim()}`, FOLLOW_UP] : [`Request\n${request.prompt.trim()}`];
  if (request.inputs.length > 0) parts.push(`Input files\n${request.inputs.map((input) => `- ${JSON.stringify(input.name)} (${input.bytes} bytes)`).join('\n')}`);
  if (request.outputs.length > 0) parts.push(`Promised outputs\n${request.outputs.map((output) => `- ${JSON.stringify(output.path)}`).join('\n')}`);
  if (request.exposure && request.inputs.length > 0 && HIDDEN[exposureOf(request)]) parts.push(HIDDEN[exposureOf(request)]);
  if (packText) parts.push(packText);
  if (!request.follows) parts.push(limitsText(request.limits));
  return parts.join('\n\n');
}

/** What ends a cell or a script that takes too much. Seconds and binary gigabytes. */
function limitsText({ cellTimeoutMs, scriptTimeoutMs, memoryBytes }: RequestLimits): string {
  return `Limits\nEach reply of yours is a step of the budget, and each run of a cell or of the script another. A cell is interrupted after ${cellTimeoutMs / 1000} s, one run of the final script after ${scriptTimeoutMs / 1000} s; memory is ${+(memoryBytes / 2 ** 30).toFixed(1)} GiB. Try what is slow on a sample first.`;
}
