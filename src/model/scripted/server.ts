/**
 * The scripted model: an OpenAI-compatible server on loopback that plays playbooks. It owns its counts and the faults
 * it was told to
 * make; the conversation belongs to the client, which sends it whole each time. Invariants, each with a test:
 * (1) which turn answers follows from the request body alone, so any number of servers and restarts answer alike;
 * (2) an identical body gets identical bytes, and is counted apart;
 * (3) a request that a turn was not written for gets a 400 with code `playbook_mismatch`, never a guess;
 * (4) a web page in a browser on the same machine can't reach it: only loopback names as Host, no Origin.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Completion, spoiled, toCompletion } from './completion.js';
import { type Fault, FaultQueue, FAULTS, type FaultKind, faultSchema, HTTP_FAULTS } from './fault.js';
import type { Playbook } from './playbook.js';
import { findPlaybook, noPlaybook, play } from './player.js';
import { Reporter } from './report.js';
import { conversationKey, readSent } from './sent.js';

/** Name of the only model served, unless another is given. */
export const SCRIPTED_MODEL = 'scripted';

export interface ScriptedServer {
  port: number;
  /** What to give as `baseUrl`: `http://127.0.0.1:<port>/v1`. */
  baseUrl: string;
  close(): Promise<void>;
}

const MAX_BODY_BYTES = 64 << 20;

/** Starts the scripted model on a loopback port (0 picks a free one). Endpoints beside the API: docs/playbooks.md. */
export async function startScriptedServer(options: {
  playbooks: readonly Playbook[];
  port?: number;
  /** Name of the model. */
  model?: string;
}): Promise<ScriptedServer> {
  const { playbooks, model = SCRIPTED_MODEL } = options;
  const reporter = new Reporter();
  const faults = new FaultQueue();

  const chat = async (body: Buffer, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const sha = createHash('sha256').update(body).digest('hex');
    const sent = readSent(parsed(body));
    if (typeof sent === 'string') return fail(response, 400, sent, 'invalid_request_error');
    if (sent.model !== model)
      return fail(
        response,
        404,
        `The model "${sent.model.slice(0, 100)}" does not exist; there is only "${model}".`,
        'model_not_found',
      );
    const fault = faultOf(request, faults);
    const http = fault && HTTP_FAULTS[fault.kind];
    if (http)
      return fail(
        response,
        http.status,
        http.message,
        http.code,
        fault.retryAfter ? { 'retry-after': fault.retryAfter } : {},
      );
    if (fault?.kind === 'garbage')
      return void response.writeHead(200, { 'content-type': 'text/html' }).end('<html><body>Sign in</body></html>');
    const key = conversationKey(sent);
    const played = play(playbooks, sent);
    if (played.kind === 'mismatch') {
      reporter.mismatched(key, played.playbook, played.message);
      return fail(response, 400, played.message, 'playbook_mismatch');
    }
    const reply = fault ? spoiled(played, fault.kind, sent.messages.length) : played;
    const completion = toCompletion(reply, sent, sha);
    if (fault?.kind === 'cut' || fault?.kind === 'stall') return void (await half(response, completion, fault.kind));
    if (!fault) reporter.played(key, played.playbook, sha, played.turn, played.last);
    await write(response, completion, played);
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { port } = server.address() as AddressInfo;
    if (
      request.headers.origin !== undefined ||
      ![`127.0.0.1:${port}`, `localhost:${port}`].includes(request.headers.host ?? '')
    ) {
      return fail(response, 403, 'This server answers programs on this machine only.', 'forbidden');
    }
    const body = await bodyOf(request);
    if (body === null) return fail(response, 413, 'The request is too large.', 'invalid_request_error');
    const route = `${request.method} ${(request.url ?? '').split('?')[0]}`;
    switch (route) {
      case 'GET /v1/models':
        return json(response, 200, {
          object: 'list',
          data: [{ id: model, object: 'model', created: 0, owned_by: 'nl2code' }],
        });
      case 'POST /v1/chat/completions':
        return chat(body, request, response);
      case 'GET /playbooks/report':
        return json(response, 200, reporter.report(faults.used));
      case 'POST /playbooks/match': {
        const asked = parsed(body) as { prompt?: unknown; strategy?: unknown } | undefined;
        const found = findPlaybook(playbooks, String(asked?.prompt ?? ''), String(asked?.strategy ?? ''));
        return found
          ? json(response, 200, { playbook: found.name })
          : fail(response, 400, noPlaybook(playbooks), 'playbook_mismatch');
      }
      case 'POST /playbooks/faults': {
        const fault = faultSchema.safeParse(parsed(body));
        if (!fault.success)
          return fail(
            response,
            400,
            `A fault is {kind, count?, retryAfter?}; kinds: ${FAULTS.join(', ')}.`,
            'invalid_request_error',
          );
        faults.add(fault.data);
        return json(response, 200, fault.data);
      }
      case 'POST /playbooks/reset':
        reporter.clear();
        faults.clear();
        return json(response, 200, {});
      default:
        return fail(response, 404, `There is nothing at ${route.slice(0, 200)}.`, 'not_found');
    }
  };

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else fail(response, 500, error instanceof Error ? error.message : 'failed', 'server_error');
    });
  });
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    baseUrl: `http://127.0.0.1:${port}/v1`,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** A fault asked for by this request's own header, else the next one that waits. */
function faultOf(request: IncomingMessage, faults: FaultQueue): Fault | undefined {
  const kind = request.headers['x-playbook-fault'];
  return FAULTS.includes(kind as FaultKind) ? faults.count({ kind: kind as FaultKind, count: 1 }) : faults.take();
}

/** Writes the pieces at the pace of a model: tokens that are due, every 25 ms. Stops when the client is gone. */
async function write(
  response: ServerResponse,
  completion: Completion,
  pace: { delayMs: number; tokensPerSecond: number },
): Promise<void> {
  response.writeHead(200, { 'content-type': completion.contentType, 'cache-control': 'no-store' });
  if (pace.delayMs > 0) {
    response.flushHeaders();
    await sleep(pace.delayMs);
  }
  const started = Date.now();
  let tokens = 0;
  for (const piece of completion.pieces) {
    if (response.destroyed) return;
    tokens += piece.tokens;
    const early = pace.tokensPerSecond > 0 ? started + (tokens / pace.tokensPerSecond) * 1000 - Date.now() : 0;
    if (early > 25) await sleep(early);
    response.write(piece.text);
  }
  response.end();
}

/** Half of a reply: then the connection breaks, or nothing more comes. */
async function half(response: ServerResponse, completion: Completion, kind: 'cut' | 'stall'): Promise<void> {
  const text = completion.pieces.map((p) => p.text).join('');
  response.writeHead(200, { 'content-type': completion.contentType });
  await new Promise<void>((done) => response.write(text.slice(0, Math.ceil(text.length / 2)), () => done()));
  if (kind === 'cut') response.destroy();
}

async function bodyOf(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

function fail(
  response: ServerResponse,
  status: number,
  message: string,
  code: string,
  headers: Record<string, string> = {},
): void {
  json(response, status, { error: { message, type: code, param: null, code } }, headers);
}

function json(response: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}): void {
  const text = JSON.stringify(value);
  response
    .writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers })
    .end(text);
}
