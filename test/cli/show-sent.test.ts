import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runProgram } from '../../src/cli/program.js';
import { createTerminal } from '../../src/cli/terminal.js';
import { canonical } from '../../src/session/canonical.js';
import type { Hash, Json } from '../../src/session/json.js';
import { sha256 } from '../../src/store/blobs.js';
import { SessionStore } from '../../src/store/session-store.js';
import { record } from '../store/record.js';
import { request } from '../strategies/scripted-ports.js';

let data: string;
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'nl2code-sent-'));
});
afterEach(() => rmSync(data, { recursive: true, force: true }));

async function show(...options: string[]) {
  const written = { out: '', err: '' };
  const env = { HOME: data, NL2CODE_DATA_DIR: data };
  const terminal = createTerminal({ stdin: {}, stdout: { write: (text) => (written.out += text) }, stderr: { write: (text) => (written.err += text) }, env });
  const code = await runProgram(['show', 's', ...options], { terminal, env, cwd: data, stdin: Readable.from([]), exitCode: 0 });
  return { code, ...written };
}

const tools: Json = [{ name: 'run_cell' }, { name: 'submit' }];
const asked: Json[] = [{ role: 'system', content: 'You write code.' }, { role: 'user', content: 'count the\u001b[2J rows' }];
const answered: Json[] = [{ role: 'assistant', content: '', calls: [{ id: 'c', name: 'run_cell', arguments: '{"code": "1"}' }] }, { role: 'tool', callId: 'c', content: '‹name k3x9p› has 3' }];

/** A session that asked its model twice: the second request goes on from the first. */
function session(): void {
  const { chain } = new SessionStore(data).session('s');
  let head: Hash | null = null;
  const add = (over: Parameters<typeof record>[0]): Hash => (head = chain.commit(`k${over!.seq}`, record({ parent: head, ...over }), over!.seq!).hash);
  const sent = (base: Hash | null, before: Json[], more: Json[]) => ({ base, add: { text: JSON.stringify(more) }, sha: sha256(`[${[...before, ...more].map(canonical).join(',')}]`) });
  add({ seq: 0, kind: 'open', ask: undefined, args: { request: request({ model: 'gpt' }) } as never });
  const first = add({ seq: 1, startedAt: 0, sent: sent(null, [], [tools, ...asked]) });
  add({ seq: 2, kind: 'execute', ask: undefined, args: { target: 'cell', call: 'c', code: null } });
  add({ seq: 3, startedAt: 60_000, sent: sent(first, [tools, ...asked], answered) });
}

test('show --sent prints every request that went out, of each what none before it had sent, and no control character', async () => {
  session();
  expect(await show('--sent')).toEqual({
    code: 0,
    err: '',
    out: `── step 1, codeact to gpt, 1970-01-01T00:00:00.000Z · 2 messages · tools run_cell, submit
[system]
You write code.
[user]
count the rows

── step 3, codeact to gpt, 1970-01-01T00:01:00.000Z · 4 messages, 2 of them sent before · tools run_cell, submit
[assistant]
→ run_cell {"code": "1"}
[tool]
‹name k3x9p› has 3
`,
  });
});

test('show --sent --json holds each request whole, as it was sent', async () => {
  session();
  const requests = JSON.parse((await show('--sent', '--json')).out) as unknown;
  expect(requests).toEqual([
    { seq: 1, ask: 'codeact', model: 'gpt', at: 0, tools, messages: asked, before: 0 },
    { seq: 3, ask: 'codeact', model: 'gpt', at: 60_000, tools, messages: [...asked, ...answered], before: 2 },
  ]);
});

test('a request that is not what its hash says is refused, never shown', async () => {
  const { chain } = new SessionStore(data).session('s');
  const { hash } = chain.commit('k', record({ kind: 'open', ask: undefined, args: { request: request() } as never }), 0);
  chain.commit('l', record({ parent: hash, seq: 1, sent: { base: null, add: { text: JSON.stringify([tools, ...asked]) }, sha: sha256('another') } }), 1);
  const { code, out, err } = await show('--sent');
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err).toContain('What step 1 sent is not what its hash says.');
});

test('a session whose model was asked nothing says so', async () => {
  new SessionStore(data).session('s').chain.commit('k', record({ kind: 'open', ask: undefined, args: { request: request() } as never }), 0);
  expect((await show('--sent')).out).toBe('Nothing has been sent to a model.\n');
});
