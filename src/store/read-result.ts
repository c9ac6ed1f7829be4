import type { ModelReply } from '../model/endpoint.js';
import { answerOf, reviewOf } from '../prompts/replies.js';
import { toResult, type Result } from '../session/result.js';
import type { StepRecord } from '../session/step-record.js';
import { statement } from '../verification/statement.js';
import type { SessionFolder } from './session-store.js';

/** The result of a session's last request, from its chain; undefined while the request is open. */
export function readResult(folder: SessionFolder, session: string): Result | undefined {
  const records = folder.chain.walk(folder.chain.head()).map((link) => link.record);
  return toResult(session, records, {
    text: (ref) => folder.blobs.text(ref),
    blob: (hash) => folder.blobs.read(hash),
    words: (since) => words(since, (record) => JSON.parse(folder.blobs.text(record.refs.reply!)) as ModelReply),
    statement,
  });
}

function words(records: readonly StepRecord[], replyOf: (record: StepRecord) => ModelReply): { answer: string | null; review: Result['review'] } {
  const at = records.findLastIndex((record) => record.kind === 'code' && record.refs.reply);
  // A review before the last code was of something else than the script that code handed in.
  const review = records.slice(at + 1).findLast((record) => record.kind === 'review' && record.refs.reply);
  return { answer: at < 0 ? null : answerOf(replyOf(records[at]!)), review: (review && reviewOf(replyOf(review))) ?? null };
}
