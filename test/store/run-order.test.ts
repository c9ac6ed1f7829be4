import { appendFileSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RunOrder } from '../../src/store/run-order.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nl2code-runs-'));
  path = join(folder, 'runs');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const place = (runId: string, activityId: string, head = 0, order = new RunOrder(path)) => order.of({ runId, activityId }, head);

test('what was scheduled later has a higher place, whichever process asks', () => {
  const places = [place('one', '1'), place('one', '2'), place('one', '17000'), place('two', '1'), place('two', '9'), place('three', '1')];
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  expect(new Set(places).size).toBe(places.length);
  expect(places.every(Number.isSafeInteger)).toBe(true);
});

test('an activity has one place for ever, also when others have come since', () => {
  const order = new RunOrder(path);
  const before = place('one', '5', 0, order);
  place('two', '1');
  expect([place('one', '5', 0, order), place('one', '5')]).toEqual([before, before]);
});

test('a step of a release that was ordered by the clock comes before', () => {
  expect(place('one', '1', 1_900_000_000_000)).toBeGreaterThan(1_900_000_000_000);
});

test('runs that are known to nobody any more still come before, by the head that they left', () => {
  const left = [place('one', '1'), place('two', '3')].at(-1)!;
  rmSync(path);
  expect(place('three', '1', left)).toBeGreaterThan(left);
  expect(place('four', '1', left)).toBeGreaterThan(place('three', '400', left));
});

test('what a crash cut off counts as not written', () => {
  const one = place('one', '1');
  appendFileSync(path, '\ntwo 1');
  const three = place('three', '1');
  expect(three).toBeGreaterThan(one);
  expect(place('two', '1')).toBeGreaterThan(three);
});

test('a run is written once', () => {
  const order = new RunOrder(path);
  place('one', '1', 0, order);
  const { size } = statSync(path);
  for (const activity of ['2', '3', 'not a number']) place('one', activity, 0, order);
  place('one', '4');
  expect(statSync(path).size).toBe(size);
});
