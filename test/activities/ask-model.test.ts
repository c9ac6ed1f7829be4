import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { createAskModel } from '../../src/activities/ask-model.js';
import type { StepWorld } from '../../src/activities/world.js';
import type { ModelReply, ModelRequest } from '../../src/model/endpoint.js';
import { promptTokens } from '../../src/prompts/conversation.js';
import { Nl2codeError } from '../../src/session/error-table.js';
import type { Hash } from '../../src/session/json.js';
import type { StepReply } from '../../src/session/step.js';
import { memoKey } from '../../src/store/memo-key.js';
import { SessionStore } from '../../src/store/session-store.js';
import { random } from '../kernel/random.js';
import { randomSession } from '../prompts/random-session.js';

const folders: string[] = [];
afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })));

const reply: ModelReply = { content: 'done', calls: [], finishReason: 'stop', usage: { promptTokens: 9, cachedTokens: 0, completionTokens: 1 }, usageEstimated: false, model: 'm', requestId: 'q' };

/** A session of many cells, and a model that takes prompts up to a size. */
function scene(takes: number, window: number | undefined) {
  const folder = mkdtempSync(join(tmpdir(), 'nl2code-ask-'));
  folders.push(folder);
  const store = new SessionStore(folder);
  const { chain } = store.session('s');
  let head: Hash | null = null;
  for (const [seq, given] of randomSession(random(4), { promptTokens: window, records: 120, plain: true }).records.entries()) {
    head = chain.commit(`k${seq}`, { ...given, parent: head, seq }, seq).hash;
  }
  const asked: ModelRequest[] = [];
  const sizes = () => asked.map(({ messages, tools }) => promptTokens(messages, tools));
  const complete = (request: ModelRequest) => {
    asked.push(request);
    if (sizes().at(-1)! > takes) throw new Nl2codeError('model-context-length', 'The conversation is too long.');
    return Promise.resolve(reply);
  };
  const world = { store, endpoint: { complete, probe: () => Promise.resolve(), scripted: true }, priceOf: () => undefined, maxOutputTokens: 1000, maxExposure: 'full' } as unknown as StepWorld;
  const ask = createAskModel(world);
  const call = (parent: Hash | null) => ({ session: 's', parent, seq: 200, kind: 'code' as const, ask: 'codeact', args: null, facts: [] });
  return { chain, sizes, call, head, run: (parent: Hash | null = head) => new MockActivityEnvironment().run(() => ask(call(parent))) as Promise<StepReply<'code'>> };
}

describe('a prompt that is longer than the model takes', () => {
  const whole = () => {
    const { sizes, run } = scene(Infinity, 1e6);
    return run().then(() => sizes()[0]!);
  };

  test('is shortened and tried once more, costs nothing, and later prompts keep to what was taken', async () => {
    const size = await whole();
    const { chain, sizes, run, call, head } = scene(size - 1, 1e6);
    const first = await run();
    expect(sizes()).toEqual([size, expect.any(Number)]);
    expect(sizes()[1]).toBeLessThan(size * 0.6);
    expect(chain.record(first.head)).toMatchObject({ sent: { within: Math.floor(size * 0.6) }, spent: { calls: 1, lostCalls: 0 } });
    expect(chain.lost(memoKey(call(head))).calls).toBe(1);
    await run(first.head);
    expect(sizes()).toHaveLength(3);
    expect(chain.record((await run(first.head)).head).sent).not.toHaveProperty('within');
  });

  test('is tried no third time', async () => {
    const { sizes, run } = scene(10, 1e6);
    await expect(run()).rejects.toMatchObject({ type: 'model-context-length', nonRetryable: true });
    expect(sizes()).toHaveLength(2);
  });

  test('is not shortened for a request that was admitted without a window', async () => {
    const { sizes, run } = scene(10, undefined);
    await expect(run()).rejects.toMatchObject({ type: 'model-context-length' });
    expect(sizes()).toHaveLength(1);
  });
});
