import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';

/** One request as it arrived. */
export interface Seen {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  body: Record<string, unknown>;
  /** Settles when the client's end of the socket is gone. */
  gone: Promise<number>;
}

export type Answer = (response: ServerResponse, seen: Seen) => void;

/** A real HTTP server on loopback that gives the answers it was told, in order, the last one for ever. */
export function answeringServer(...answers: Answer[]) {
  return serving((listener) => createServer(listener), 'http', answers);
}

/** The same over TLS, with the certificate of a test. */
export function answeringSecurely(tls: { key: Buffer; cert: Buffer }, ...answers: Answer[]) {
  return serving((listener) => createSecureServer(tls, listener), 'https', answers);
}

async function serving(create: (listener: RequestListener) => ReturnType<typeof createServer>, protocol: string, answers: Answer[]) {
  const seen: Seen[] = [];
  const server = create((request, response) => {
    let text = '';
    request.on('data', (d: Buffer) => (text += d.toString()));
    request.on('end', () => {
      const gone = new Promise<number>((resolve) => response.on('close', () => resolve(Date.now())));
      const one = {
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        body: text ? (JSON.parse(text) as Record<string, unknown>) : {},
        gone,
      };
      seen.push(one);
      const answer = answers[Math.min(seen.length, answers.length) - 1];
      if (!answer) throw new Error('no answer');
      answer(response, one);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    seen,
    port,
    url: `${protocol}://127.0.0.1:${port}/v1`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Answers with a status and a JSON (or literal) body. */
export function status(code: number, body: unknown, headers: Record<string, string> = {}): Answer {
  return (response) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    response
      .writeHead(code, { 'content-type': typeof body === 'string' ? 'text/html' : 'application/json', ...headers })
      .end(text);
  };
}

/** Answers with an OpenAI error body. */
export function failure(
  code: number,
  message: string,
  more: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): Answer {
  return status(code, { error: { message, ...more } }, headers);
}

/** Streams chunks (objects become `data:` lines, strings go out as they are), then ends. */
export function stream(...chunks: unknown[]): Answer {
  return (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'x-request-id': 'req-1' });
    for (const chunk of chunks)
      response.write(typeof chunk === 'string' ? chunk : `data: ${JSON.stringify(chunk)}\n\n`);
    response.end();
  };
}

/** Streams chunks and leaves the connection open. */
export function hanging(...chunks: unknown[]): Answer {
  return (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.flushHeaders();
    for (const chunk of chunks)
      response.write(typeof chunk === 'string' ? chunk : `data: ${JSON.stringify(chunk)}\n\n`);
  };
}

export const DONE = 'data: [DONE]\n\n';

export function delta(content: Record<string, unknown>, finish: string | null = null): unknown {
  return {
    id: 'c1',
    object: 'chat.completion.chunk',
    model: 'm-1',
    choices: [{ index: 0, delta: content, finish_reason: finish }],
  };
}

export function usage(prompt: number, cached: number, completion: number): unknown {
  return {
    id: 'c1',
    choices: [],
    usage: { prompt_tokens: prompt, completion_tokens: completion, prompt_tokens_details: { cached_tokens: cached } },
  };
}
