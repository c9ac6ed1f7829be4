import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createOpen } from '../../src/activities/open.js';
import type { StepWorld } from '../../src/activities/world.js';
import type { Exposure } from '../../src/session/exposure.js';
import type { Request } from '../../src/session/request.js';
import { SessionStore } from '../../src/store/session-store.js';
import { ToolBridge } from '../../src/tools/tool-bridge.js';
import { request } from '../strategies/scripted-ports.js';

let dir: string;
let store: SessionStore;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'nl2code-open-'));
  store = new SessionStore(dir);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const open = (asked: Request, maxExposure: Exposure, tools?: ToolBridge): Promise<unknown> =>
  new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') }).run(() => createOpen({ store, maxExposure, ...(tools ? { tools } : {}) } as StepWorld)({ session: 's', parent: null, seq: 0, kind: 'open', args: { request: asked }, facts: [] }));

test.each<[Exposure, Exposure]>([['full', 'masked'], ['full', 'schema'], ['masked', 'schema']])('a request that was admitted for exposure %s is refused by a worker that shows %s at most', async (exposure, most) => {
  await expect(open(request({ exposure }), most)).rejects.toMatchObject({ type: 'bad-request', nonRetryable: true, message: `The request's exposure is ${exposure}, and this worker shows a model ${most} at most: ask for less.` });
  expect(store.session('s').chain.head()).toBeNull();
});

test('an input that may be read more of than the worker shows is refused too, and the strictest of a request decides', async () => {
  const input = { name: 'a.csv', bytes: 0, sha256: 'x' };
  await expect(open({ ...request(), exposure: 'full', inputs: [{ ...input, exposure: 'full' }] }, 'masked')).rejects.toMatchObject({ type: 'bad-request' });
  await expect(open({ ...request({ exposure: 'schema' }) }, 'schema')).resolves.toMatchObject({ value: { verdicts: [] } });
});

test('an input that is not in the session as it was admitted is refused', async () => {
  await expect(open(request({ inputs: [{ name: 'a.csv', bytes: 5, sha256: 'x' }] }), 'full')).rejects.toMatchObject({ type: 'bad-input', message: expect.stringContaining('Input "a.csv" is not in the session as it was admitted.') as string });
});

const append = { name: 'append', description: 'Appends.', parameters: { type: 'object', properties: { text: { type: 'string' } } }, idempotency: 'none' as const, run: () => null };

test.each<[string, ToolBridge | undefined, string]>([
  ['a tool of another worker', new ToolBridge([append]), 'The request may call the tool "send", and this worker has append: register it there, with new Nl2codePlugin({ tools }), or leave it out.'],
  ['a tool where the worker has none', undefined, 'The request may call the tool "append", and this worker has no tools: register it there, with new Nl2codePlugin({ tools }), or leave it out.'],
  ['a tool that the operator does not allow', new ToolBridge([append, { ...append, name: 'send' }], ['append']), 'The request may call the tool "send", which tools.allow of this worker\'s configuration does not name: leave it out.'],
])('a request that may call %s is refused', async (_law, tools, message) => {
  await expect(open({ ...request(), tools: ['append', 'send'] }, 'full', tools)).rejects.toMatchObject({ type: 'bad-request', nonRetryable: true, message });
});

test('what is told of the tools is recorded with the request, and nothing where it allows none', async () => {
  const bridge = new ToolBridge([append, { ...append, name: 'send' }]);
  await open({ ...request(), id: 'r1' }, 'full', bridge);
  await open({ ...request(), id: 'r2', tools: ['append'] }, 'full', bridge);
  const folder = store.session('s');
  const [first, last] = folder.chain.walk(folder.chain.head()).map(({ record }) => record.refs);
  expect(first).not.toHaveProperty('tools');
  expect(JSON.parse(folder.blobs.text(last!.tools!))).toEqual([{ name: 'append', description: 'Appends.', parameters: append.parameters }]);
});
