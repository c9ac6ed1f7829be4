import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventText } from '../../src/cli/logs.js';
import { SessionStore } from '../../src/store/session-store.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'nl2code-offsets-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test('each event says where to resume after it, in bytes', () => {
  const folder = new SessionStore(root).session('s1');
  const log = folder.events({ seq: 1, attempt: 1, step: 'code' });
  for (const text of ['plain', 'größe 北京', '']) log.emit('model-delta', { text });
  const { events, next, ends } = folder.readEvents();
  expect(ends).toHaveLength(3);
  expect(ends[2]).toBe(next);
  ends.forEach((end, i) => expect(folder.readEvents(end).events).toEqual(events.slice(i + 1)));
});

test('an event is a line, its text below it and clean', () => {
  const event = { at: Date.UTC(2026, 0, 2, 3, 4, 5, 6), seq: 3, attempt: 2, n: 0, kind: 'cell-output', step: 'execute', data: { stream: 'stdout', text: 'one\n\u001b[31mtwo\n' } } as const;
  expect(eventText(event)).toBe('03:04:05.006 3 execute attempt 2 cell-output {"stream":"stdout"}\n    one\n    two');
});
