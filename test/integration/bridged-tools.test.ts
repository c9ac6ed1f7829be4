import { afterEach, describe, expect, inject, test } from 'vitest';
import { readStepDetail } from '../../src/cli/step-detail.js';
import type { CellObservation } from '../../src/session/observation.js';
import type { StrategyName } from '../../src/session/request.js';
import { sentRequests } from '../../src/store/sent.js';
import { traceLines } from '../../src/store/trace.js';
import { scriptedModel, type ScriptedModel, type ScriptedTurn } from '../../src/testing/scripted-model.js';
import type { Tool } from '../../src/tools/tool.js';
import { startInProcess, toEnd, type InProcess } from '../rig/in-process.js';

/** What the tools did, in order: a worker's own memory, which no sandbox shares. */
let effects: string[] = [];
const keys = new Set<string>();
const append: Tool = {
  name: 'append',
  description: 'Adds a line to the log of the test, and returns how many lines it has.',
  parameters: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
  idempotency: 'none',
  run({ text }, { key }) {
    if (text === 'refuse') throw new Error('The log refuses it: password=hunter2.');
    keys.add(key);
    return effects.push(String(text));
  },
};
const never: Tool = { ...append, name: 'never', description: 'Takes a line and never answers.', timeoutMs: 200, run: ({ text }) => (effects.push(String(text)), new Promise(() => undefined)) };

const cell = (code: string, expected: RegExp[] = []): ScriptedTurn => ({ expect: expected, calls: [{ tool: 'run_cell', arguments: { code } }] });
const SCRIPT = 'import sys\n\n\ndef main() -> int:\n    with open("lines.txt", "w") as file:\n        file.write("2\\n")\n    return 0\n\n\nif __name__ == "__main__":\n    sys.exit(main())\n';
const plan: ScriptedTurn = { say: '1. Call the tool.' };
const submit = (path: string, expected: RegExp[] = []): ScriptedTurn => ({ expect: expected, calls: [{ tool: 'submit', arguments: { path, outputs: ['lines.txt'], answer: 'Two lines.' } }] });
const write = (path: string, script: string, expected: RegExp[] = []): ScriptedTurn => cell(`%%writefile ${path}\n${script}`, expected);
const accept: ScriptedTurn = { calls: [{ tool: 'review', arguments: { accept: true, summary: 'Two lines.' } }] };
const ending = (expected: RegExp[]): ScriptedTurn[] => [write('lines.py', SCRIPT, expected), submit('lines.py', [/Wrote lines\.py/]), accept];

let rig: InProcess | undefined;
let model: ScriptedModel | undefined;
afterEach(async () => {
  await rig?.close();
  rig = model = undefined;
  effects = [];
  keys.clear();
});

/** One session with a model that says these turns; all of them must be played. */
async function session(turns: ScriptedTurn[], options: { strategy?: StrategyName; tools?: string[] } = {}) {
  const { strategy = 'codeact', tools = ['append'] } = options;
  model = await scriptedModel(turns, { strategy });
  rig = await startInProcess(inject('temporalAddress'), { model, tools: [append, never] });
  const { session: id } = await rig.client.start({ prompt: 'Write how many lines the log has.', strategy, tools, outputs: ['lines.txt'] });
  const { result } = await toEnd(rig, id);
  await model.assertPlayed();
  const folder = rig.store.at(id);
  const cells = folder.chain.walk(folder.chain.head()).flatMap(({ record }) => {
    const seen = record.kind === 'execute' && record.refs.observation ? (JSON.parse(folder.blobs.text(record.refs.observation)) as CellObservation) : null;
    return seen?.kind === 'cell' ? [{ seq: record.seq, seen }] : [];
  });
  return { result: result!, folder, cells };
}

describe('code in a cell', () => {
  test('calls a tool of the worker, is told its answer and its errors, and the trace has every call', async () => {
    const code = [
      'import nl2code',
      'print(nl2code.tools.append(text="one"), nl2code.tools.call("append", text="two"))',
      'for name, text in (("append", "refuse"), ("never", "three"), ("append", 3)):',
      '    try:',
      '        nl2code.tools.call(name, text=text)',
      '    except nl2code.ToolError as error:',
      '        print("told:", error)',
      'print([tool["name"] for tool in nl2code.tools.list()])',
    ].join('\n');
    const told = [/^1 2$/, /^told: The tool append failed: The log refuses it: password=\[key\]$/, /^told: There is no tool "never" here: code may call append\.$/, /^told: The tool append does not take these arguments: text: /, /^\['append'\]$/];
    const { result, folder, cells } = await session([plan, cell(code), ...ending(told)]);
    expect(result.status).toBe('verified');
    expect(effects).toEqual(['one', 'two']);
    expect(keys.size).toBe(2);
    for (const { messages } of sentRequests(folder)) expect(messages[0]!.content).toContain('\n- nl2code.tools.append(text: str): Adds a line to the log of the test, and returns how many lines it has.\n');
    const lines = traceLines(folder).map((line) => JSON.parse(line) as { calls?: { call: number; name: string; outcome: string; key: string | null }[]; tools?: unknown });
    expect(lines[0]!.tools).toMatchObject([{ name: 'append' }]);
    const [calls] = lines.flatMap((line) => (line.calls ? [line.calls] : []));
    expect(calls!.map(({ call, name, outcome }) => `${call} ${name} ${outcome}`)).toEqual(['0 append answered', '1 append answered', '2 append error', '3 never error', '4 append error', '5 list answered']);
    expect(new Set(calls!.slice(0, 2).map(({ key }) => key))).toEqual(keys);
    expect(readStepDetail(folder, cells[1]!.seq)!.lines).toContainEqual(expect.stringMatching(/^call 0: append\("text":"one"\) → 1 {2}\d+ ms {2}key nl2code-[0-9a-f]{40}$/));
  });

  test('makes no effect twice when its kernel dies under it and it runs again', async () => {
    const code = [
      'import os, nl2code',
      'lines = nl2code.tools.append(text="one")',
      'if not os.path.exists("/tmp/died"):',
      '    open("/tmp/died", "w").close()',
      '    os.kill(os.getpid(), 9)',
      'print("lines", lines, nl2code.tools.append(text="two"))',
    ].join('\n');
    const { result, cells } = await session([plan, cell(code), ...ending([/^lines 1 2$/])]);
    expect(result.status).toBe('verified');
    expect(effects).toEqual(['one', 'two']);
    expect(cells[1]!.seen.again).toHaveLength(1);
    expect(cells[1]!.seen).not.toHaveProperty('uncertain');
  });

  test('that makes another call when it runs again is told so, and nothing happens', async () => {
    const code = [
      'import os, nl2code',
      'again = os.path.exists("/tmp/died")',
      'try:',
      '    nl2code.tools.append(text="again" if again else "one")',
      'except nl2code.NonDeterministicReplay as error:',
      '    print("told:", error)',
      'if not again:',
      '    open("/tmp/died", "w").close()',
      '    os.kill(os.getpid(), 9)',
    ].join('\n');
    const { cells } = await session([plan, cell(code), ...ending([/^told: Call 0 of cell 1 was append\("text":"one"\) when the cell ran before, and is append\("text":"again"\) now/])]);
    expect(effects).toEqual(['one']);
    expect(cells[1]!.seen.ended).toBe('ok');
  });

  test('has no effect when a variable that came of it is computed again', async () => {
    const turns = [
      plan,
      cell('import nl2code\nlines = (n for n in [nl2code.tools.append(text="one")])\nprint("made")'),
      cell('import os\nif not os.path.exists("/tmp/died"):\n    open("/tmp/died", "w").close()\n    os.kill(os.getpid(), 9)\nprint("next", next(lines))', [/^made$/]),
      ...ending([/^next 1$/]),
    ];
    const { cells } = await session(turns);
    expect(effects).toEqual(['one']);
    expect(cells[2]!.seen.restored?.recomputed).toEqual(['lines']);
  });

  test('learns that nobody knows whether a call took effect, and so does the model', async () => {
    const code = 'import nl2code\ntry:\n    nl2code.tools.never(text="one")\nexcept nl2code.Uncertain:\n    print("swallowed")';
    const { cells } = await session([plan, cell(code), ...ending([/^swallowed$/, /^Whether call 0 of this cell, nl2code\.tools\.never, took effect is not known: find out before you call it again\.$/])], { tools: ['never'] });
    expect(effects).toEqual(['one']);
    expect(cells[1]!.seen.uncertain).toEqual([{ call: 0, name: 'never' }]);
  });

  test('calls nothing that its request does not allow', async () => {
    const code = 'import nl2code\ntry:\n    nl2code.tools.append(text="one")\nexcept nl2code.ToolError as error:\n    print("told:", error)';
    const { folder } = await session([plan, cell(code), ...ending([/^told: There is no tool "append" here: this request allows none\.$/])], { tools: [] });
    expect(effects).toEqual([]);
    expect(JSON.stringify(sentRequests(folder)[0]!.messages)).not.toContain('nl2code.tools');
  });

  test('that is a program of react calls them too', async () => {
    const code = 'import nl2code\nprint("lines", nl2code.tools.append(text="one"), nl2code.tools.append(text="two"))';
    const turns: ScriptedTurn[] = [
      { calls: [{ tool: 'run_python', arguments: { code } }] },
      { expect: [/^lines 1 2$/], calls: [{ tool: 'write_file', arguments: { path: 'lines.py', content: SCRIPT } }] },
      submit('lines.py'),
      accept,
    ];
    const { result } = await session(turns, { strategy: 'react' });
    expect(result.status).toBe('verified');
    expect(effects).toEqual(['one', 'two']);
  });
});

test('a final script that needs the session is a finding with the way out, and its calls reach nobody', async () => {
  const needing = SCRIPT.replace('import sys\n', 'import sys\n\nimport nl2code\n').replace('    with open', '    nl2code.tools.append(text="from the script")\n    with open');
  const { result } = await session([
    plan,
    write('lines.py', needing),
    submit('lines.py'),
    {
      expect: [/\[needs-session\] Line 3 imports nl2code, which exists only in a cell of the session: the script runs without it\./, /Remedy: Call the tool in a cell, and write what the script needs of its answer into the script/],
      calls: [{ tool: 'review', arguments: { accept: false, summary: 'It needs the session.' } }],
    },
    write('lines.py', SCRIPT),
    submit('lines.py'),
    accept,
  ]);
  expect(result.status).toBe('verified');
  expect(effects).toEqual([]);
});

test('a stop reaches the tool that a cell waits for, and ends the session', async () => {
  const seen: string[] = [];
  const patient: Tool = {
    ...append,
    name: 'patient',
    run: (_, { signal }) =>
      new Promise((_resolve, reject) => {
        seen.push('begun');
        signal.addEventListener('abort', () => (seen.push('told'), reject(new Error('aborted'))));
      }),
  };
  model = await scriptedModel([plan, { ...cell('import nl2code\nnl2code.tools.patient(text="one")'), last: true }]);
  rig = await startInProcess(inject('temporalAddress'), { model, tools: [patient] });
  const { session: id } = await rig.client.start({ prompt: 'Write how many lines the log has.', tools: ['patient'] });
  const end = toEnd(rig, id);
  await expect.poll(() => seen, { timeout: 30_000 }).toEqual(['begun']);
  await rig.client.stop(id, 'ann');
  expect((await end).result?.status).toBe('stopped');
  expect(seen).toEqual(['begun', 'told']);
  expect(rig.store.at(id).tools.uncertain(1)).toEqual([{ call: 0, name: 'patient' }]);
});
