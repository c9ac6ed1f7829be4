import type { Request } from '../session/request.js';

/** The first user message: the request, what it gives and promises, and what the context pack says. */
export function requestText(request: Request, packText: string): string {
  const parts = [`Request\n${request.prompt.trim()}`];
  if (request.inputs.length > 0) parts.push(`Input files\n${request.inputs.map((input) => `- ${JSON.stringify(input.name)} (${input.bytes} bytes)`).join('\n')}`);
  if (request.outputs.length > 0) parts.push(`Promised outputs\n${request.outputs.map((output) => `- ${JSON.stringify(output.path)}`).join('\n')}`);
  if (packText) parts.push(packText);
  return parts.join('\n\n');
}
