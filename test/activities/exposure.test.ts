import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Exposures, lookCell } from '../../src/activities/exposure.js';
import type { StepWorld } from '../../src/activities/world.js';
import { NOTHING_HELD } from '../../src/exposure/sensitive.js';
import type { KernelCell } from '../../src/kernel/kernels.js';
import type { WireReply } from '../../src/kernel/protocol.js';
import type { SandboxSpec } from '../../src/sandbox/backend.js';
import type { Exposure } from '../../src/session/exposure.js';
import type { Fact } from '../../src/session/facts.js';
import type { CellObservation, VerificationObservation } from '../../src/session/observation.js';
import type { StepRecord } from '../../src/session/step-record.js';
import type { StepCall } from '../../src/session/step.js';
import type { Link } from '../../src/store/chain.js';
import { SessionStore, type SessionFolder } from '../../src/store/session-store.js';
import { bridgeSentences } from '../../src/tools/sentences.js';
import { record } from '../store/record.js';
import { request } from '../strategies/scripted-ports.js';

let dir: string;
let folder: SessionFolder;
let exposures: Exposures;
let past: Link[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'nl2code-words-'));
  folder = new SessionStore(dir).session('s');
  exposures = new Exposures({} as StepWorld);
  past = [];
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const asked = request({ inputs: [{ name: 'people.csv', bytes: 1, sha256: 'x' }] });
const add = (over: Partial<StepRecord>) => past.push({ hash: `h${past.length}`, record: record(over) });
const text = (said: string) => ({ text: said, omitted: 0 });
const verified = (said: string, over: Partial<VerificationObservation> = {}): VerificationObservation => ({ kind: 'verification', ok: true, checks: [], findings: [], outputs: [], stdout: text(said), stderr: text(''), isolation: 'bubblewrap', ms: 1, ...over });
const script = (source: string) => ({ target: 'script', call: 'c', code: { text: source } }) as const;

/** A session that has looked at its inputs, where `hidesScript` says whether its script held values that the model has not seen. */
function opened({ source, hidesScript = false, categories = [] as string[] }: { source?: string; hidesScript?: boolean; categories?: string[] } = {}): void {
  add({ kind: 'open', args: { request: asked } as never });
  add({ kind: 'execute', args: { target: 'inspect', call: '', code: null }, value: { ok: true, sig: '' }, refs: { sensitive: folder.blobs.put(JSON.stringify({ ...NOTHING_HELD, categories })) } });
  if (source !== undefined) add({ kind: 'execute', args: script(source), value: { ok: true, sig: '' }, refs: { code: folder.blobs.put(source), observation: { text: JSON.stringify(verified('', hidesScript ? { hidesScript } : {})) } } });
}
const edit = (source: string): Fact => ({ kind: 'decision', proposal: 'p', actor: 'ann', decision: { kind: 'edit', code: { text: source } } });
const lens = (facts: Fact[] = [], exposure: Exposure = 'masked') => exposures.lens({ call: { session: 's', facts } as StepCall<'execute'>, folder, past }, { ...asked, exposure }, null).lens;
const shown = (said: string, facts: Fact[] = []) => lens(facts).verification(verified(said), null).stdout.text;

test('what a person writes is known in the step that runs it, and to that step alone until it is recorded', () => {
  opened({ source: 'LIMIT = 5\n' });
  const facts = [edit('LIMIT = 6  # Zwxvutq\n')];
  expect(shown('Zwxvutq', facts)).toBe('Zwxvutq');
  expect(shown('Zwxvutq')).toMatch(/^‹text \w{5}›$/);
  add({ kind: 'execute', facts, args: script('LIMIT = 6  # Zwxvutq\n'), value: { ok: true, sig: '' } });
  expect(shown('Zwxvutq')).toBe('Zwxvutq');
});

test('an edit of a script that holds values makes known what it changes, and the values stay hidden', () => {
  const source = 'NAME = "Qwertyson"\nLIMIT = 5\n';
  const changed = source.replace('LIMIT = 5', 'LIMIT = 6  # Zwxvutq');
  opened({ source, hidesScript: true });
  const facts = [edit(changed)];
  expect(shown('Zwxvutq', facts)).toBe('Zwxvutq');
  expect(shown('Qwertyson', facts)).toMatch(/^‹text \w{5}›$/);
  const seen = lens(facts).verification(verified(''), changed);
  expect(seen.hidesScript).toBe(true);
  add({ kind: 'execute', facts, args: script(changed), value: { ok: true, sig: '' }, refs: { code: folder.blobs.put(changed), observation: { text: JSON.stringify(seen) } } });
  expect(shown('Qwertyson')).toMatch(/^‹text \w{5}›$/);
  expect(shown('Qwertyson', [edit(changed.replace('6', '7'))])).toMatch(/^‹text \w{5}›$/);
});

test('an edit that is no Python leaves the script that was shown the one that is edited', () => {
  const source = 'NAME = "Qwertyson"\n';
  opened({ source, hidesScript: true });
  add({ kind: 'execute', facts: [edit('LIMIT = (\n')], args: script('LIMIT = (\n'), value: { ok: false, sig: '', unparsed: 'line 1' }, refs: { code: folder.blobs.put('LIMIT = (\n'), observation: { text: JSON.stringify(verified('')) } } });
  expect(shown('Qwertyson', [edit(`${source}LIMIT = 6\n`)])).toMatch(/^‹text \w{5}›$/);
});

test('an edit of a script that the model knows is known whole', () => {
  opened({ source: 'LIMIT = 5\n' });
  expect(lens([edit('LIMIT = 6\nprint("Zwxvutq")\n')], 'schema').verification(verified(''), 'LIMIT = 6\nprint("Zwxvutq")\n')).not.toHaveProperty('hidesScript');
});

test('a fork hides a value under the placeholder that its past has for it, another session under another one', () => {
  opened();
  const before = shown('Zwxvutq');
  const of = (session: string) => exposures.lens({ call: { session, facts: [] } as unknown as StepCall<'execute'>, folder, past }, { ...asked, exposure: 'masked' }, null).lens.live('Zwxvutq');
  expect(of('fork')).not.toBe(before);
  writeFileSync(join(folder.path, 'forked.json'), JSON.stringify({ session: 'another', record: 'h1', cell: 0, first: 's' }));
  expect(of('fork')).toBe(before);
});

test('a category of the inputs may be read under masked, and under schema is a value like any other', () => {
  opened({ categories: ['Qwertyson'] });
  const raised: CellObservation = { kind: 'cell', k: 1, ended: 'error', stdout: text(''), stderr: text(''), result: null, displays: [], error: { type: 'KeyError', message: "'Qwertyson'", traceback: '' }, ms: 1 };
  expect(lens([], 'masked').cell(raised, new Map()).error!.message).toBe("'Qwertyson'");
  expect(lens([], 'schema').cell(raised, new Map()).error!.message).toBe('(the message is not shown under exposure schema)');
});

describe('a look at the inputs', () => {
  const noted = (word: string) => JSON.stringify({ ...NOTHING_HELD, categories: [word] });
  const reply = (over: Partial<WireReply> = {}): WireReply => ({ ended: 'ok', stdout: text('looked'), stderr: text(''), result: null, displays: [], error: null, ms: 1, restored: null, unsaved: null, ...over });
  const cell = (k: number): KernelCell => ({ session: 's', k, code: lookCell(true), epoch: [7, 1], timeoutMs: 1, maxOutputChars: 1 });
  const leave = (sandbox: string, word: string) => {
    mkdirSync(join(sandbox, 'checkpoint'), { recursive: true });
    writeFileSync(join(sandbox, 'checkpoint', 'sensitive.json'), noted(word));
  };
  /** Keeps what a look left, where the session's own sandbox says `own`; `ran` are the other sandboxes that it took. */
  async function keep(k: number, again = reply()) {
    const ran: SandboxSpec[] = [];
    const ended: string[] = [];
    const kernels = {
      runCell: (spec: SandboxSpec) => {
        ran.push(spec);
        leave(spec.folder, 'fresh');
        return Promise.resolve({ reply: again, attachments: [], cached: false });
      },
      end: ({ folder: sandbox }: SandboxSpec) => Promise.resolve(void ended.push(sandbox)),
    };
    leave(folder.sandbox, 'own');
    const spec = { id: 's-1', folder: folder.sandbox, warm: 'all' } as SandboxSpec;
    const look = await new Exposures({ kernels } as unknown as StepWorld).keep(folder, spec, cell(k), reply(), new AbortController().signal);
    return { look, ran, ended, held: look.sensitive === null ? null : folder.blobs.read(look.sensitive) };
  }

  test('of a kernel that has run nothing is believed', async () => {
    const { held, look, ran } = await keep(0);
    expect({ held, ran, reply: look.reply }).toEqual({ held: noted('own'), ran: [], reply: undefined });
  });

  test('of a kernel that has run generated code is taken again in a sandbox of its own, which is gone afterwards', async () => {
    const { held, look, ran, ended } = await keep(3, reply({ stdout: text('looked afresh') }));
    expect(held).toBe(noted('fresh'));
    expect(look.reply!.stdout.text).toBe('looked afresh');
    expect(ran).toEqual([expect.objectContaining({ id: 's-1-l3-1', warm: 'bare' })]);
    expect(ran[0]!.folder.startsWith(`${folder.verify}/`)).toBe(true);
    expect(ended).toEqual([ran[0]!.folder]);
    expect(existsSync(ran[0]!.folder)).toBe(false);
  });

  test('that breaks there leaves nothing known, so that only types are shown', async () => {
    expect((await keep(3, reply({ ended: 'timeout' }))).look.sensitive).toBeNull();
    opened();
    add({ kind: 'execute', args: { target: 'inspect', call: '', code: null }, value: { ok: false, sig: '' } });
    expect(lens([], 'masked').exposure).toBe('schema');
  });
});

test('a step reads the records that are new, and the whole chain again only where it goes another way', () => {
  opened({ source: 'LIMIT = 5\n' });
  let read = 0;
  const counted = (link: Link): Link => ({ hash: link.hash, get record() { return (read += 1), link.record; } });
  past = past.map(counted);
  lens();
  const first = read;
  expect(first).toBe(3);
  for (const said of ['one', 'two']) {
    past.push(counted({ hash: said, record: record({ facts: [{ kind: 'stop', actor: said }] }) }));
    lens();
  }
  expect(read - first).toBe(2);
  past = past.slice(0, 2);
  lens();
  expect(read - first).toBe(4);
});

const told = (exposure: Exposure, message: string, type = 'ToolError') =>
  lens([], exposure).cell({ kind: 'cell', k: 1, ended: 'error', stdout: text(''), stderr: text(''), result: null, displays: [], error: { type, message, traceback: `nl2code.${type}: ${message}` }, ms: 1 }, new Map()).error!;

test('what code is told of tools hides no words of ours and of the operator, and every value in it', () => {
  const tools = [{ name: 'upload_audience', description: 'Uploads to Zwxvutq.', parameters: { type: 'object', properties: { audience: { type: 'string' } } } }];
  add({ kind: 'open', args: { request: asked } as never, refs: { tools: { text: JSON.stringify(tools) } } });
  add({ kind: 'execute', args: { target: 'inspect', call: '', code: null }, value: { ok: true, sig: '' }, refs: { sensitive: folder.blobs.put(JSON.stringify(NOTHING_HELD)) } });
  for (const sentence of bridgeSentences(['upload_audience'])) expect(told('masked', sentence).message).toBe(sentence);
  const failure = told('masked', 'The tool upload_audience failed: Zwxvutq knows no Qwertyson.');
  expect(failure.message).toMatch(/^The tool upload_audience failed: Zwxvutq ‹?.* ‹\w+ \w{5}›\.$/);
  expect(failure.message).not.toContain('Qwertyson');
  expect(told('schema', 'The tool upload_audience failed: no Qwertyson.')).toMatchObject({ type: 'ToolError', message: expect.not.stringContaining('Qwertyson') as string });
});

test('where a request allows no tools their words are hidden as any', () => {
  opened();
  expect(told('masked', 'upload_audience').message).not.toContain('audience');
});
