import { afterEach } from 'vitest';
import type { ModelDelta, ModelRequest } from '../../src/model/endpoint.js';
import { createOpenAiEndpoint, type OpenAiEndpointOptions } from '../../src/model/openai-endpoint.js';
import { Nl2codeError } from '../../src/session/error-table.js';
import { type Answer, answeringServer } from './answering-server.js';

/** A key that must never be seen again. */
export const KEY = 'sk-canary-0123456789abcdefghij';
/** A small request with one tool. */
export const REQUEST: ModelRequest = {
  model: 'm',
  messages: [
    { role: 'system', content: 'You write code.' },
    { role: 'user', content: 'Do it.' },
  ],
  tools: [
    {
      name: 'run_cell',
      description: 'Runs code.',
      parameters: { type: 'object', properties: { code: { type: 'string' } } },
    },
  ],
  maxOutputTokens: 1000,
};

/** Servers that are closed after the test. */
export const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((s) => s.close()));
});

/** An endpoint client before a server that gives these answers. */
export async function against(answers: Answer[], more: Partial<OpenAiEndpointOptions> = {}) {
  const server = await answeringServer(...answers);
  open.push(server);
  const endpoint = createOpenAiEndpoint({ baseUrl: server.url, apiKey: KEY, stallMs: 5_000, ...more });
  const ask = (request: Partial<ModelRequest> = {}, onDelta?: (d: ModelDelta) => void) =>
    endpoint.complete({ ...REQUEST, ...request }, { signal: new AbortController().signal, onDelta });
  return { server, endpoint, ask };
}

/** The error a promise rejects with, which must be one of ours. */
export async function errorOf(promise: Promise<unknown>): Promise<Nl2codeError> {
  const error: unknown = await promise.then(
    () => new Error('it did not fail'),
    (e: unknown) => e,
  );
  if (!(error instanceof Nl2codeError)) throw error;
  return error;
}
