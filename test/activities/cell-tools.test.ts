import { expect, test } from 'vitest';
import { cellTools } from '../../src/activities/cell-tools.js';
import { ToolBridge } from '../../src/tools/tool-bridge.js';
import { request } from '../strategies/scripted-ports.js';
import { callingRoom } from '../tools/calling-room.js';

const append = { name: 'append', description: 'Appends.', parameters: { type: 'object', properties: { text: { type: 'string' } } }, idempotency: 'none' as const, run: () => 'done' };
const call = (k: number) => ({ k, call: 0, name: 'append', args: { text: 'a' }, replay: false });

test('a worker that lacks a tool of the request leaves the step to another', () => {
  const { folder } = callingRoom();
  const error = expect.objectContaining({ code: 'tool-missing', message: 'Code of the session may call the tool send, which this worker does not have. Start a worker that registers it on the session\'s task queue; the session tries again by itself.' }) as Error;
  expect(() => cellTools({ tools: new ToolBridge([append]) }, folder, 's', { ...request(), tools: ['append', 'send'] })).toThrow(error);
  expect(() => cellTools({}, folder, 's', { ...request(), tools: ['send'] })).toThrow(error);
});

test('a worker without tools answers what was answered before, and nothing new', async () => {
  const { folder } = callingRoom();
  const made = cellTools({ tools: new ToolBridge([append]) }, folder, 's', { ...request(), tools: ['append'] });
  expect(await made.answer(call(3))).toEqual({ ok: true, value: 'done' });
  const later = cellTools({}, folder, 's', request());
  expect(await later.answer(call(3))).toEqual({ ok: true, value: 'done' });
  expect(await later.answer(call(4))).toMatchObject({ ok: false, error: { type: 'ToolError' } });
});
