import { canonical } from '../session/canonical.js';
import { Nl2codeError, type ErrorCode } from '../session/error-table.js';
import type { Json } from '../session/json.js';
import type { Call, StepCall, StepReply } from '../session/step.js';
import type { StepRecord } from '../session/step-record.js';
import { addSpent, NOTHING_SPENT, type Spent } from '../session/usage.js';
import type { ChatMessage, ModelReply, ModelRequest } from '../model/endpoint.js';
import { costUsd } from '../model/prices.js';
import { reserve } from '../model/reserve.js';
import { asks } from '../prompts/asks.js';
import { promptTokens } from '../prompts/conversation.js';
import { endingOf } from '../prompts/ending.js';
import { lineOf } from '../prompts/line-of.js';
import { sha256 } from '../store/blobs.js';
import { lostSpent, NOTHING_LOST, type Link, type LostAttempts } from '../store/chain.js';
import { requestOf } from './past.js';
import { step, type StepScene } from './step.js';
import { Talks } from './talks.js';
import type { StepWorld } from './world.js';

/** Failures that an endpoint is known not to bill: their reservation is withdrawn. */
const UNBILLED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'model-auth',
  'model-forbidden',
  'model-not-found',
  'model-rate-limited',
  'model-quota',
  'model-context-length',
  'model-bad-request',
  'model-server-error',
  'model-unreachable',
  'model-untrusted',
  'proxy-unreachable',
  'proxy-refused',
  'playbook-mismatch',
]);
const DELTA_EVERY_MS = 150;
/** Part of a prompt that was too long that the next may have, and the part below which it is worth a try. */
const SHORTER = 0.6;
const WORTH_A_TRY = 0.9;
const REMEMBERED_REQUESTS = 64;

type AskKind = 'plan' | 'code' | 'review';

/**
 * A step that asks the model once: render, reserve, call, settle, parse. A prompt that the endpoint refuses as too long is shortened and
 * tried once more, which nobody bills; the record says within what, so that later prompts keep to it.
 */
export function createAskModel(world: StepWorld): <K extends AskKind>(call: StepCall<K>) => Promise<StepReply<K>> {
  const sentBefore = new Map<string, string[]>();
  const talks = new Talks();

  const remember = (head: string, lines: string[]) => {
    sentBefore.set(head, lines);
    const oldest = sentBefore.keys().next();
    if (sentBefore.size > REMEMBERED_REQUESTS && !oldest.done) sentBefore.delete(oldest.value);
  };

  async function effect(scene: StepScene<AskKind>, lines: { value: string[] }) {
    const { call, folder, past, key, attempt, events, signal } = scene;
    const spec = asks[call.ask ?? ''];
    if (!spec) throw new Nl2codeError('bad-request', `No ask is called ${JSON.stringify(call.ask)}.`);
    const { request, since } = requestOf(past);
    const talk = talks.of(call.session, past, (ref) => folder.blobs.text(ref));
    const price = world.priceOf(request.model);
    const lost = attempt > 1 ? folder.chain.lost(key) : NOTHING_LOST;
    const deltas = throttled((text) => events.emit('model-delta', { text }));

    const complete = async (messages: ChatMessage[]): Promise<ModelReply> => {
      lines.value = [canonical(spec.tools), ...messages.map(lineOf)];
      const promptChars = lines.value.reduce((sum, line) => sum + line.length, 0);
      const reserved = reserve(request.budget, spentSince(since, lost), { promptChars, maxOutputTokens: world.maxOutputTokens }, price);
      const wanted: ModelRequest = { model: request.model, messages, tools: spec.tools, maxOutputTokens: reserved.maxOutputTokens };
      const mark = folder.chain.begin(key, call.parent, reserved);
      try {
        return await world.endpoint.complete(wanted, { signal, onDelta: deltas.add });
      } catch (error) {
        if (error instanceof Nl2codeError && UNBILLED.has(error.code)) folder.chain.withdraw(mark);
        throw error;
      } finally {
        deltas.flush();
      }
    };

    const whole = talk.prompt(call.ask!, call.facts, call.args);
    let within: number | undefined;
    const reply = await complete(whole).catch((error: unknown) => {
      const size = promptTokens(whole, spec.tools);
      const shorter = tooLong(error) && request.promptTokens !== undefined ? talk.prompt(call.ask!, call.facts, call.args, Math.floor(size * SHORTER)) : whole;
      if (promptTokens(shorter, spec.tools) > size * WORTH_A_TRY) throw error;
      within = Math.floor(size * SHORTER);
      return complete(shorter);
    });
    const cost: Spent = { ...NOTHING_SPENT, ...reply.usage, calls: 1, costUsd: price ? costUsd(reply.usage, price) : 0, ...(price ? {} : { unpriced: 1 + lost.calls }) };
    const spent = addSpent(lostSpent(lost), cost);
    return {
      value: withEnding(spec.parse(reply, (code) => folder.blobs.put(code), request.inputs.map(({ name }) => name)), reply),
      refs: { reply: folder.blobs.keep(JSON.stringify(reply)) },
      sent: { ...difference(past, lines.value, sentBefore, (text) => folder.blobs.keep(text)), ...(within === undefined ? {} : { within }) },
      spent,
    };
  }

  return async <K extends AskKind>(call: StepCall<K>) => {
    const lines = { value: [] as string[] };
    const reply = await step(world, call as StepCall<AskKind>, (scene) => effect(scene, lines));
    if (lines.value.length > 0) remember(reply.head, lines.value);
    return reply as unknown as StepReply<K>;
  };
}

const tooLong = (error: unknown): boolean => error instanceof Nl2codeError && error.code === 'model-context-length';

/** A reply that holds no code to act on says why, where the endpoint said it. */
function withEnding(value: Json, reply: ModelReply): Json {
  const ended = endingOf(reply);
  const calls = (value as { calls?: Call[] } | null)?.calls;
  return ended && calls && !calls.some(({ code, path }) => code !== undefined || path !== undefined) ? { ...(value as object), ended } : value;
}

/** What the request has cost so far, attempts of the call at hand that were lost among it. */
function spentSince(since: readonly Link[], lost: LostAttempts): Spent {
  return since.reduce((sum, { record }) => addSpent(sum, record.spent), lostSpent(lost));
}

/** What was sent, as a difference to the last request of the chain: bytes grow with the new messages only. */
function difference(past: readonly Link[], lines: string[], known: Map<string, string[]>, keep: (text: string) => { text: string } | { hash: string }): NonNullable<StepRecord['sent']> {
  const base = past.findLast((link) => link.record.sent);
  const before = base && known.get(base.hash);
  const grows = before !== undefined && before.length <= lines.length && before.every((line, i) => line === lines[i]);
  return { base: grows ? base!.hash : null, add: keep(`[${lines.slice(grows ? before.length : 0).join(',')}]`), sha: sha256(`[${lines.join(',')}]`) };
}

/** Collects streamed text and hands it on a few times a second, and at last what is left. */
function throttled(emit: (text: string) => void): { add(delta: { text: string }): void; flush(): void } {
  let waiting = '';
  let last = 0;
  const flush = () => {
    if (waiting) emit(waiting);
    waiting = '';
    last = Date.now();
  };
  return {
    add: ({ text }) => {
      waiting += text;
      if (Date.now() - last >= DELTA_EVERY_MS) flush();
    },
    flush,
  };
}
