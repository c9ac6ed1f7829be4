import { expect } from 'vitest';
import type { ChatMessage, ModelReply, RawCall } from '../../src/model/endpoint.js';
import type { Fact } from '../../src/session/facts.js';
import type { Json } from '../../src/session/json.js';
import type { CellObservation, VerificationObservation } from '../../src/session/observation.js';
import type { StepRecord } from '../../src/session/step-record.js';
import { verificationText } from '../../src/verification/finding-text.js';
import type { Random } from '../kernel/random.js';
import { request } from '../strategies/scripted-ports.js';
import { record } from '../store/record.js';

const blobs = new Map<string, string>();
/** Reads what random sessions refer to. */
export const read = (ref: { text: string } | { hash: string }): string => ('text' in ref ? ref.text : blobs.get(ref.hash)!);

/** Every tool call is answered exactly once, directly after the reply that made it. */
export function wellFormed(messages: ChatMessage[]): void {
  let open: string[] = [];
  for (const message of messages) {
    if (message.role === 'tool') {
      expect(open).toContain(message.callId);
      open = open.filter((id) => id !== message.callId);
    } else {
      expect(open).toEqual([]);
      if (message.role === 'assistant') open = message.calls.map(({ id }) => id);
    }
  }
  expect(open).toEqual([]);
}

/** What a prompt at this place must still hold. */
export interface Told {
  whole: string[];
  script: string | null;
  verification: string | null;
}

interface Options {
  promptTokens: number | undefined;
  records: number;
  /** Cells only: no requests, scripts or decisions after the first. */
  plain?: boolean;
}

/** A codeact session of many requests, cells, failures, scripts and decisions, with what each of its prompts has to hold. */
export function randomSession({ int, chance }: Random, { promptTokens, records: count, plain = false }: Options): { records: StepRecord[]; told: Told[] } {
  const records: StepRecord[] = [];
  const told: Told[] = [];
  const now: Told = { whole: [], script: null, verification: null };
  let facts: Fact[] = [];
  let n = 0;
  const upTo = (max: number) => int(0, max - 1);
  const push = (over: Partial<StepRecord>, own: Fact[] = facts) => {
    told.push({ ...now, whole: [...now.whole] });
    records.push(record({ ask: undefined, facts: own, ...over }));
    facts = [];
  };
  const reply = (content: string, calls: RawCall[] = []): StepRecord['refs'] => ({
    reply: { text: JSON.stringify({ content, calls, finishReason: 'stop', usage: { promptTokens: 1, cachedTokens: 0, completionTokens: 1 }, usageEstimated: false, model: 'm', requestId: 'q' } satisfies ModelReply) },
  });
  const seen = (over: Partial<CellObservation>): StepRecord['refs'] => ({
    observation: { text: JSON.stringify({ kind: 'cell', k: n, ended: 'ok', stdout: { text: '', omitted: 0 }, stderr: { text: '', omitted: 0 }, result: null, displays: [], error: null, ms: 1, ...over } satisfies CellObservation) },
  });
  const execute = (target: string, call: string, refs: StepRecord['refs']) => push({ kind: 'execute', args: { target, call, code: null } as Json, refs });
  const shows = (text: string) => ({ stdout: { text, omitted: 0 } });

  const opening = () => {
    n += 1;
    const words = `request ${n}: ${'please '.repeat(upTo(20))}count`;
    push({ kind: 'open', args: { request: request({ id: `r${n}`, prompt: words, ...(promptTokens === undefined ? {} : { promptTokens }) }) } as unknown as Json });
    now.whole.push(words);
    const columns = `columns of request ${n}`;
    execute('inspect', '', seen(shows(columns)));
    now.whole.push(columns);
    const plan = `1. plan of request ${n}`;
    push({ kind: 'plan', ask: 'codeact-plan', refs: reply(plan) });
    now.whole.push(plan);
  };
  const cells = () => {
    const calls = Array.from({ length: 1 + upTo(3) }, (_, i) => {
      n += 1;
      return { id: `c${n}-${i}`, name: 'run_cell', arguments: JSON.stringify({ code: `# step ${n} of the work\nframe_${n} = load(${n})\nrows_${n} = frame_${n}[${'x'.repeat(upTo(300))}]\n` }) };
    });
    const text = chance(0.2);
    push({ ask: 'codeact', refs: text ? reply(calls.map(({ name, arguments: args }) => JSON.stringify({ tool: name, args: JSON.parse(args) as Json })).join('\n')) : reply('thinking', calls) });
    const ids = text ? calls.map((_, i) => `text-${i + 1}`) : calls.map(({ id }) => id);
    const failsAt = chance(0.3) ? upTo(ids.length) : ids.length;
    for (const [i, id] of ids.entries()) {
      const changed = !plain && i < failsAt && chance(0.04);
      if (changed) facts.push({ kind: 'decision', what: 'cell', proposal: `h:${id}`, actor: 'a', decision: { kind: 'edit', code: { text: `cell_${n} = 1\n` } } });
      if (i > failsAt) facts.push({ kind: 'not-run', call: id, why: 'An earlier call of the same reply failed.' });
      else if (i === failsAt) execute('cell', id, seen({ ended: 'error', error: { type: 'ValueError', message: `wrong value ${n}`, traceback: `${'  File "x"\n'.repeat(upTo(40))}ValueError: wrong value ${n}` } }));
      else execute('cell', id, seen(shows(`head ${n}\n${`row ${n}\n`.repeat(upTo(200))}tail ${n}\n`)));
      if (changed) now.whole.push(`+cell_${n} = 1`);
    }
    // A stop can leave calls without an answer.
    if (chance(0.05)) facts = [];
  };
  const script = () => {
    n += 1;
    return `print(${n})\n${`row = ${n}\n`.repeat(upTo(60))}`;
  };
  const verified = (call: string, ok: boolean, code: string) => {
    n += 1;
    blobs.set(`script-${n}`, code);
    const observation: VerificationObservation = {
      kind: 'verification', ok, checks: [{ check: 'runs', state: ok ? 'passed' : 'failed', detail: '' }], findings: ok ? [] : [{ code: 'run-failed', message: `it failed ${n}`, remedy: 'mend it' }],
      outputs: [], stdout: { text: '', omitted: 0 }, stderr: { text: '', omitted: 0 }, isolation: 'bubblewrap', ms: 1,
    };
    execute('script', call, { code: `script-${n}`, observation: { text: JSON.stringify(observation) } });
    now.script = code;
    now.verification = verificationText(observation);
  };
  const submit = () => {
    const code = script();
    push({ ask: 'codeact', refs: reply('', [{ id: `w${n}`, name: 'run_cell', arguments: JSON.stringify({ code: `%%writefile a.py\n${code}` }) }]) });
    execute('cell', `w${n}`, seen(shows('a.py')));
    const call = `s${n}`;
    push({ ask: 'codeact', refs: reply('', [{ id: call, name: 'submit', arguments: JSON.stringify({ path: 'a.py', answer: 'x' }) }]) });
    const ok = chance(0.5);
    const decided = int(1, 3);
    verified(call, ok, code);
    push({ kind: 'review', ask: 'codeact-review', refs: reply('', [{ id: `v${n}`, name: 'review', arguments: JSON.stringify({ accept: ok, summary: `summary ${n}` }) }]) });
    if (!ok) push({ kind: 'retry', args: { left: 1 }, value: { next: 'repair', reason: `it failed ${n}` } });
    else if (decided === 1) {
      const reason = `reason ${n} of a person`;
      facts.push({ kind: 'decision', proposal: 'p', actor: 'a', decision: { kind: 'reject', reason } });
      now.whole.push(reason);
    } else if (decided === 2) {
      facts.push({ kind: 'decision', proposal: 'p', actor: 'a', decision: { kind: 'edit', code: { text: `edited_${n} = 1\n` } } });
      now.whole.push(`+edited_${n} = 1`);
      verified(call, true, script());
      // It was told as a difference.
      now.script = null;
    } else {
      push({ kind: 'close', args: { verdict: { request: 'r', status: 'verified' } } as unknown as Json });
      opening();
    }
  };

  opening();
  while (records.length < count) {
    if (!plain && chance(0.06)) submit();
    else cells();
  }
  return { records, told };
}
