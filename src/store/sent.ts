import { canonical } from '../session/canonical.js';
import { Nl2codeError } from '../session/error-table.js';
import type { Hash, Json } from '../session/json.js';
import type { StepIO } from '../session/step.js';
import { sha256 } from './blobs.js';
import type { SessionFolder } from './session-store.js';

/** One request that went to the model endpoint, whole. */
export interface SentRequest {
  seq: number;
  ask: string;
  model: string;
  /** Unix time in milliseconds. */
  at: number;
  tools: Json;
  messages: { role: string; content: string; [key: string]: Json }[];
  /** How many of the messages an earlier request had sent already. */
  before: number;
}

/** Every model request of a session that was answered, in order, rebuilt from the chain and held against its hash. */
export function sentRequests(folder: SessionFolder): SentRequest[] {
  const sent = new Map<Hash, string[]>();
  let model = '';
  return folder.chain.walk(folder.chain.head()).flatMap(({ hash, record }) => {
    if (record.kind === 'open') ({ model } = (record.args as unknown as StepIO['open']['args']).request);
    if (!record.sent) return [];
    const base = record.sent.base === null ? [] : sent.get(record.sent.base);
    const lines = [...(base ?? []), ...(JSON.parse(folder.blobs.text(record.sent.add)) as Json[]).map(canonical)];
    if (!base || sha256(`[${lines.join(',')}]`) !== record.sent.sha) throw new Nl2codeError('store-corrupt', `What step ${record.seq} sent is not what its hash says.`);
    sent.set(hash, lines);
    const [tools, ...messages] = lines.map((line) => JSON.parse(line) as Json);
    return [{ seq: record.seq, ask: record.ask ?? '', model, at: record.startedAt, tools: tools!, messages: messages as SentRequest['messages'], before: Math.max(0, base.length - 1) }];
  });
}
