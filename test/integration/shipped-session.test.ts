import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { runProgram } from '../../src/cli/program.js';
import { createTerminal } from '../../src/cli/terminal.js';
import { Checkpoints } from '../../src/sandbox/checkpoints.js';
import type { CellObservation } from '../../src/session/observation.js';
import type { StoredObject } from '../../src/store/checkpoint-store.js';
import { FolderCheckpoints } from '../../src/store/folder-checkpoints.js';
import { scriptedModel, type ScriptedModel, type ScriptedTurn } from '../../src/testing/scripted-model.js';
import type { Tool } from '../../src/tools/tool.js';
import { startInProcess, toEnd, type InProcess } from '../rig/in-process.js';

/** A store that takes no manifest of a cell from `full` on. */
class Filling extends FolderCheckpoints {
  full = Infinity;
  override put(key: string, object: StoredObject): Promise<void> {
    const k = /\/manifests\/(\d+)-/.exec(key)?.[1];
    return Number(k ?? -1) >= this.full ? Promise.reject(new Error('ENOSPC: no space left on device')) : super.put(key, object);
  }
}

let effects: string[] = [];
const append: Tool = {
  name: 'append',
  description: 'Adds a line to the log of the test, and returns how many lines it has.',
  parameters: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
  idempotency: 'none',
  run: ({ text }) => effects.push(String(text)),
};

const cell = (code: string, expected: RegExp[] = []): ScriptedTurn => ({ expect: expected, calls: [{ tool: 'run_cell', arguments: { code } }] });
const script = (text: string) => `%%writefile lines.py\nimport sys\n\n\ndef main() -> int:\n    with open("lines.txt", "w") as file:\n        file.write("${text}\\n")\n    return 0\n\n\nif __name__ == "__main__":\n    sys.exit(main())\n`;
const ending = (text: string, expected: RegExp[]): ScriptedTurn[] => [
  cell(script(text), expected),
  { expect: [/Wrote lines\.py/], calls: [{ tool: 'submit', arguments: { path: 'lines.py', outputs: ['lines.txt'], answer: text } }] },
  { calls: [{ tool: 'review', arguments: { accept: true, summary: text } }], last: true },
];

let elsewhere: string;
let store: Filling;
let checkpoints: Checkpoints;
let model: ScriptedModel;
let rig: InProcess;
beforeEach(async () => {
  effects = [];
  elsewhere = mkdtempSync(join(tmpdir(), 'nl2code-elsewhere-'));
  store = new Filling(elsewhere, 'process');
  await store.init();
  checkpoints = new Checkpoints({ store });
  // Cell 0 is the inspection.
  model = await scriptedModel([
    { say: '1. Call the tool.' },
    cell('import nl2code, random\nrows = ["one"]\nfirst = nl2code.tools.append(text="one")\nprint("first", first)'),
    cell('rows.append("two")\nsecond = nl2code.tools.append(text="two")\ndrawn = random.random()\nprint("second", second)', [/^first 1$/]),
    ...ending('Two lines.', [/^second 2$/]),
    { optional: 'the follow-up', say: '1. Look what is there.' },
    { optional: 'the follow-up', ...cell('import os\nprint("still", rows, first, second, random.random() != drawn, os.path.exists("lines.py"))') },
    ...ending('Still two.', [/^still \['one', 'two'\] 1 2 True True$/]).map((turn) => ({ ...turn, optional: 'the follow-up' })),
  ]);
  rig = await startInProcess(inject('temporalAddress'), { model, tools: [append], world: (world) => ({ ...world, checkpoints }) });
});
afterEach(async () => {
  await rig.close();
  rmSync(elsewhere, { recursive: true, force: true });
});

/** Runs a request, loses the sandbox's folder, and goes on; returns what the follow-up's first cell had to go through. */
async function gone(session: string, lose = (sandbox: string) => rmSync(sandbox, { recursive: true })) {
  expect((await toEnd(rig, session)).result).toMatchObject({ status: 'verified' });
  await checkpoints.settled(20_000);
  const folder = rig.store.at(session);
  const shown = await show(session);
  const told = folder.readEvents().next;
  await rig.world.kernels.end({ id: 'x', folder: folder.sandbox });
  lose(folder.sandbox);
  const { request } = await rig.client.followUp(session, { prompt: 'Are they still there?' });
  expect((await toEnd(rig, session, undefined, request.id)).result).toMatchObject({ status: 'verified' });
  const events = folder.readEvents(told).events;
  const ks = (kind: string) => events.filter((event) => event.kind === kind).map(({ data }) => (data as { k: number }).k);
  const seen = folder.chain.walk(folder.chain.head()).flatMap(({ record }) => (record.refs.kernel && record.refs.kernel.manifest === 4 ? [JSON.parse(folder.blobs.text(record.refs.observation!)) as CellObservation] : []));
  return { shown, fetched: ks('state-fetched'), again: ks('cell-caught-up'), seen: seen[0]! };
}

async function show(session: string): Promise<string> {
  const cwd = join(rig.dir, 'cwd');
  mkdirSync(cwd, { recursive: true });
  writeFileSync(join(cwd, 'nl2code.config.yaml'), `dataDir: ${JSON.stringify(rig.dir)}\ncheckpoints:\n  kind: folder\n  path: ${JSON.stringify(elsewhere)}\n`);
  let said = '';
  const stream = { write: (text: string) => (said += text) };
  const terminal = createTerminal({ stdin: {}, stdout: stream, stderr: stream, env: {} });
  expect(await runProgram(['show', session], { terminal, env: { HOME: cwd }, cwd, stdin: Readable.from([]), exitCode: 0 }), said).toBe(0);
  return said;
}

test('a session whose folder is lost goes on from what was shipped: no cell runs again, no tool is called again', async () => {
  const { session } = await rig.client.start({ prompt: 'Write how many lines the log has.', tools: ['append'], outputs: ['lines.txt'] });
  const { shown, fetched, again, seen } = await gone(session);
  expect(shown).toContain(`stored   remote: cells 0 to 3, in ${elsewhere}\n`);
  expect([fetched, again]).toEqual([[3], []]);
  expect(seen).toMatchObject({ ended: 'ok', restored: { head: 3, lost: [], notes: [] } });
  expect(seen).not.toHaveProperty('caughtUp');
  expect(effects).toEqual(['one', 'two']);
  await model.assertPlayed();
});

test('a session whose states are damaged on this machine has them back from the store', async () => {
  const { session } = await rig.client.start({ prompt: 'Write how many lines the log has.', tools: ['append'], outputs: ['lines.txt'] });
  const { fetched, again, seen } = await gone(session, (sandbox) => {
    for (const k of [1, 2, 3]) writeFileSync(join(sandbox, 'checkpoint', 'manifests', `0000000${k}.manifest`), 'cut');
  });
  expect([fetched, again]).toEqual([[3], []]);
  expect(seen).toMatchObject({ ended: 'ok', restored: { head: 3, lost: [] } });
  expect(effects).toEqual(['one', 'two']);
  await model.assertPlayed();
});

test('where the store could not take all of it, only the cells after the newest remote one run again, and their tools answer from memory', async () => {
  store.full = 2;
  const { session } = await rig.client.start({ prompt: 'Write how many lines the log has.', tools: ['append'], outputs: ['lines.txt'] });
  const { shown, fetched, again, seen } = await gone(session);
  expect(shown).toContain(`stored   remote: cells 0 to 1, in ${elsewhere}; local: cells 2 to 3\n`);
  expect(shown).toContain(`The states of session ${session} could not all be shipped to ${elsewhere}, which is tried again after its next cell: ENOSPC: no space left on device.`);
  expect([fetched, again]).toEqual([[1], [2, 3]]);
  expect(seen).toMatchObject({ ended: 'ok', caughtUp: [{ k: 2, same: true }, { k: 3, same: true }] });
  expect(effects).toEqual(['one', 'two']);
  await model.assertPlayed();
});
