import type { ModelReply } from '../model/endpoint.js';
import { answerOf, reviewOf } from '../prompts/replies.js';
import { toResult, type Result } from '../session/result.js';
import type { Request } from '../session/request.js';
import type { StepRecord } from '../session/step-record.js';
import type { StepIO } from '../session/step.js';
import { statement } from '../verification/statement.js';
import type { SessionFolder } from './session-store.js';

/** The result of a request, of the last one when none is named, from the session's chain; undefined while it is open. */
export function readResult(folder: SessionFolder, session: string, request?: string): Result | undefined {
  const records = folder.chain.walk(folder.chain.head()).map((link) => link.record);
  return toResult(session, request === undefined ? records : recordsOf(records, request), {
    text: (ref) => folder.blobs.text(ref),
    blob: (hash) => folder.blobs.read(hash),
    words: (since) => words(since, (record) => JSON.parse(folder.blobs.text(record.refs.reply!)) as ModelReply),
    statement,
  });
}

/** All requests of a session that were opened, oldest first. Pure. */
export function requests(records: readonly StepRecord[]): Request[] {
  return records.flatMap((record) => opened(record) ?? []);
}

/** The request that a record opens. */
function opened(record: StepRecord): Request | undefined {
  return record.kind === 'open' ? (record.args as unknown as StepIO['open']['args']).request : undefined;
}

/** The records of one request, and nothing after them. */
function recordsOf(records: readonly StepRecord[], request: string): readonly StepRecord[] {
  const at = records.findIndex((record) => opened(record)?.id === request);
  const end = records.findIndex((record, i) => i > at && record.kind === 'close');
  return at < 0 ? [] : records.slice(at, end < 0 ? undefined : end + 1);
}

function words(records: readonly StepRecord[], replyOf: (record: StepRecord) => ModelReply): { answer: string | null; review: Result['review'] } {
  const at = records.findLastIndex((record) => record.kind === 'code' && record.refs.reply);
  // A review before the last code was of something else than the script that code handed in.
  const review = records.slice(at + 1).findLast((record) => record.kind === 'review' && record.refs.reply);
  return { answer: at < 0 ? null : answerOf(replyOf(records[at]!)), review: (review && reviewOf(replyOf(review))) ?? null };
}
