import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { STRATEGIES } from '../../src/session/request.js';
import { sentRequests } from '../../src/store/sent.js';
import { startInProcess, toEnd, type InProcess } from '../rig/in-process.js';
import { ProbingModel } from '../rig/probing-model.js';

const pick = <T>(of: readonly T[], i: number): T => of[i % of.length]!;
const FIRST = ['Zoltarix', 'Rose', 'Mark', 'Ünsalwin', 'Quillbert', 'Summer', 'Brixwell', 'Ofeliax', 'Grant', 'Wyndhelm'];
const LAST = ['Qwertyson', 'Bakerfeld', 'Müllerstam', 'Vandersnoot', 'Hallowick', 'Prizewell'];
const people = Array.from({ length: 40 }, (_, i) => {
  const name = `${pick(FIRST, i)} ${pick(LAST, i)}${['', 'ov', 'sen', 'ström', 'dal', 'ini', 'ez'][Math.floor(i / 6)]!}`;
  return {
    name,
    mail: `${name.toLowerCase().replace(' ', '.')}@mail${i}.example.org`,
    phone: `+49 17${i % 10} 55${String(5501 + i * 37).padStart(5, '0')}`,
    home: `${i + 11} ${pick(['Elmgrove', 'Oakfield', 'Thornhurst'], i)} ${pick(['Street', 'Lane', 'Road'], i)}, ${pick(['Springfallow', 'Shelbyton'], i)}`,
    customer: String(4_930_184_756_200 + i * 7_919),
    remark: `${pick(['Her terrier', 'His late brother', 'Their neighbour'], i)} ${pick(['bit the courier', 'refuses to pay', 'asked for a lawyer'], i)} and ${pick(['wants a refund', 'is being treated for asthma', 'moved out in spring'], i)}, see case ${i + 300}`,
    market: pick(['EU', 'UK', 'APAC'], i),
    amount: (73_519.37 + i * 1_313.71).toFixed(2),
  };
});
/** Whole values, and those of their parts that no dictionary has. */
const texts = [
  ...people.flatMap(({ name, mail, phone, home, remark, customer }) => [name, name.split(' ')[1]!, mail, phone, home, customer, remark, remark.slice(0, 24)]),
  ...['Zoltarix', 'Quillbert', 'Brixwell', 'Ofeliax', 'Wyndhelm', 'Springfallow', 'Thornhurst'],
];
const numbers = people.map(({ amount }) => amount);
const csv = ['n,person,mail,phone,home,customer_no,remark,market,amount', ...people.map((p, i) => [i + 1, p.name, p.mail, p.phone, `"${p.home}"`, p.customer, `"${p.remark}"`, p.market, p.amount].join(','))].join('\n');

let rig: InProcess;
let inputs: string[];
const model = new ProbingModel();
beforeAll(async () => {
  rig = await startInProcess(inject('temporalAddress'), { world: (world) => ({ ...world, endpoint: model }) });
  const data = join(rig.dir, 'data');
  mkdirSync(data);
  writeFileSync(join(data, 'people.csv'), csv);
  writeFileSync(join(data, 'notes.txt'), people.map(({ name, remark }) => `${name}: ${remark}`).join('\n'));
  writeFileSync(join(data, 'more.json'), JSON.stringify({ contacts: people.slice(0, 9).map(({ name, mail }) => ({ name, mail })) }));
  inputs = ['people.csv', 'notes.txt', 'more.json'].map((name) => join(data, name));
});
afterAll(() => rig.close());

/** All that was sent to the model and all that was stored of what cells and scripts showed. */
function left(session: string): { sent: string; stored: string } {
  const folder = rig.store.at(session);
  const links = folder.chain.walk(folder.chain.head());
  const sent = links.flatMap(({ record }) => (record.sent ? [folder.blobs.text(record.sent.add)] : [])).join('\n');
  const observations = links.flatMap(({ record }) => (record.kind === 'execute' && record.refs.observation ? [folder.blobs.text(record.refs.observation)] : []));
  const values = links.map(({ record }) => JSON.stringify([record.value, record.facts, record.refs.reply]));
  return { sent, stored: [...observations, ...values, readFileSync(join(folder.path, 'events', 'log.jsonl'), 'utf8')].join('\n') };
}
const found = (text: string, canaries: readonly string[]) => {
  const lower = text.toLowerCase();
  return canaries.filter((canary) => lower.includes(canary.toLowerCase()));
};

describe.each(['schema', 'masked'] as const)('under exposure %s', (exposure) => {
  test('nothing planted in the inputs leaves or is stored, whatever the code shows, under any strategy', { timeout: 240_000 }, async () => {
    const asked = model.requests.length;
    const ended = await Promise.all(
      STRATEGIES.map(async (strategy) => {
        const { session } = await rig.client.start({ prompt: 'Write totals per market to totals.csv.', strategy, exposure, inputs, outputs: ['totals.csv'], budget: { maxSteps: 60 }, limits: { maxRepairs: strategy === 'single-shot' ? 1 : 0 } });
        return { strategy, session, end: await toEnd(rig, session) };
      }),
    );
    const canaries = exposure === 'schema' ? [...texts, ...numbers] : texts;
    expect(found(JSON.stringify(model.requests.slice(asked)), canaries)).toEqual([]);
    for (const { strategy, session, end } of ended) {
      const { sent, stored } = left(session);
      expect(found(sent, canaries), strategy).toEqual([]);
      // The script's own file names stay with its artifacts; a model reads others.
      expect(found(stored.replaceAll(/"path":"[^"]*","role"|"path":"[^"]*","sha256"|"path":"[^"]*","bytes"/g, ''), canaries), strategy).toEqual([]);
      expect(end.result, strategy).toMatchObject({ exposure });
      expect(sent, strategy).toMatch(/ValueError/);
      if (exposure === 'masked') expect(sent).toContain('APAC');
      if (exposure === 'masked' && strategy !== 'single-shot') expect(found(sent, numbers).length, strategy).toBeGreaterThan(10);
      expect(sentRequests(rig.store.at(session)).length).toBe(end.result!.spent.calls);
    }
  });
});

test('inputs that come with a follow-up are looked at where no code of the session has run, and hide as those of the first request do', async () => {
  const options = { prompt: 'Write totals per market to totals.csv.', strategy: 'single-shot' as const, exposure: 'masked' as const, outputs: ['totals.csv'] };
  const { session } = await rig.client.start({ ...options, inputs: [inputs[2]!] });
  await toEnd(rig, session);
  const asked = model.requests.length;
  const { request } = await rig.client.followUp(session, { prompt: 'Now with all of them.', inputs: [inputs[0]!] });
  const { result } = await toEnd(rig, session, undefined, request.id);
  expect(result).toMatchObject({ exposure: 'masked' });
  const folder = rig.store.at(session);
  const looks = folder.chain.walk(folder.chain.head()).filter(({ record }) => (record.args as { target?: string } | null)?.target === 'inspect');
  expect(looks.map(({ record }) => typeof record.refs.sensitive)).toEqual(['string', 'string']);
  const shown = folder.blobs.text(looks[1]!.record.refs.observation!);
  expect(shown).toContain('people.csv');
  expect(shown).toContain('APAC');
  expect(found(JSON.stringify(model.requests.slice(asked)), texts)).toEqual([]);
  expect(found(left(session).stored.replaceAll(/"path":"[^"]*","role"|"path":"[^"]*","sha256"|"path":"[^"]*","bytes"/g, ''), texts)).toEqual([]);
  expect(existsSync(folder.verify) ? readdirSync(folder.verify) : []).toEqual([]);
});
