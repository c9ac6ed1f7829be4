import type { ModelReply } from '../model/endpoint.js';
import { callArguments } from '../prompts/ask.js';
import { reviewOf } from '../prompts/replies.js';
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
  const last = (kind: StepRecord['kind']) => records.findLast((record) => record.kind === kind && record.refs.reply);
  const code = last('code');
  const submitted = code && replyOf(code).calls.find((call) => call.name === 'submit');
  const answer = submitted && callArguments(submitted.arguments)?.answer;
  const review = last('review');
  return { answer: typeof answer === 'string' ? answer.slice(0, 4000) : null, review: (review && reviewOf(replyOf(review))) ?? null };
}
