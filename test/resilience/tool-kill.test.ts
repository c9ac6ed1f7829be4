import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, expect, test } from 'vitest';
import { parsePlaybook } from '../../src/model/scripted/playbook.js';
import type { CellObservation } from '../../src/session/observation.js';
import { Processes } from '../rig/processes.js';

const CELL = 'import nl2code\ntry:\n    print("told", nl2code.tools.append(text="one"))\nexcept nl2code.Uncertain as error:\n    print("uncertain:", error)';
const SCRIPT = '%%writefile one.py\nimport sys\n\n\ndef main() -> int:\n    with open("one.txt", "w") as file:\n        file.write("1\\n")\n    return 0\n\n\nif __name__ == "__main__":\n    sys.exit(main())\n';
const run = (name: string, code: string, expected: string[] = []) => ({ name, expect: expected, calls: [{ tool: 'run_cell', arguments: { code } }] });

/** A session that calls the tool once and is told `said`. */
const playbook = (said: string) => {
  const turns = [
    { name: 'plan', say: '1. Ask the tool.' },
    run('ask', CELL),
    run('write', SCRIPT, [said]),
    { name: 'submit', calls: [{ tool: 'submit', arguments: { path: 'one.py', outputs: ['one.txt'], answer: 'One.' } }] },
    { name: 'review', calls: [{ tool: 'review', arguments: { accept: true, summary: 'One.' } }], last: true },
  ];
  return parsePlaybook('tool.codeact.yaml', JSON.stringify({ match: { words: ['ask the tool'] }, turns }));
};

interface Effect {
  key: string;
  text: string;
}

/** What the tool takes effect on: it knows a key that it has seen, and keeps its first caller waiting, who is to die of it. */
class Outside {
  readonly effects: Effect[] = [];
  requests = 0;
  private readonly server: Server = createServer(async (request, response) => {
    const { key, text: said } = JSON.parse(await text(request)) as Effect;
    this.requests += 1;
    if (!this.effects.some((effect) => effect.key === key)) this.effects.push({ key, text: said });
    if (this.requests > 1) response.end(JSON.stringify({ seq: this.effects.length }));
  });
  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }
  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

let rig: Processes | undefined;
let outside: Outside | undefined;
afterEach(async () => {
  await rig?.stop();
  outside?.close();
  rig = outside = undefined;
});

/** A session whose worker is killed after the effect of its call and before it is told the answer. */
async function killed(idempotency: 'key' | 'none', said: string): Promise<{ effects: Effect[]; requests: number; cell: CellObservation }> {
  outside = new Outside();
  rig = new Processes({}, undefined, { tools: ['append'], playbooks: [playbook(said)] });
  Object.assign(rig.env, { NL2CODE_TEST_EFFECTS: await outside.open(), NL2CODE_TEST_IDEMPOTENCY: idempotency });
  await rig.start(2);
  const { session } = await rig.client.start({ prompt: 'Ask the tool.' });
  await expect.poll(() => outside!.requests, { timeout: 60_000 }).toBe(1);
  const begun = await rig.event(session, ({ kind, step, seq }) => kind === 'step-started' && step === 'execute' && seq > 2);
  await rig.kill(rig.workerOf(begun));
  const { result } = await rig.end(session);
  expect(result).toMatchObject({ status: 'verified' });
  const folder = rig.store.at(session);
  const seen = folder.chain.walk(folder.chain.head()).find(({ record }) => record.kind === 'execute' && record.seq === begun.seq)!.record;
  return { effects: outside.effects, requests: outside.requests, cell: JSON.parse(folder.blobs.text(seen.refs.observation!)) as CellObservation };
}

test('a worker killed in a tool that takes a key: another makes the call with the same key, and its effect is one', async () => {
  const { effects, requests, cell } = await killed('key', "^told \\{'seq': 1\\}$");
  expect(effects).toHaveLength(1);
  expect(requests).toBe(2);
  expect(cell).not.toHaveProperty('uncertain');
});

test('a worker killed in a tool that takes no key: nobody makes the call again, and code and model are told that its effect is uncertain', async () => {
  const { requests, cell } = await killed('none', '^uncertain: Whether call 0 of cell 1, append, took effect is not known: its worker ended before it was told the answer\\.');
  expect(requests).toBe(1);
  expect(cell).toMatchObject({ ended: 'ok', uncertain: [{ call: 0, name: 'append' }] });
});
