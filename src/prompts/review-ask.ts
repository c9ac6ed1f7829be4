import type { Json } from '../session/json.js';
import { tool, type AskFrame, type AskSpec } from './ask.js';
import { REVIEW_TOOL, reviewOf } from './replies.js';

/** Answers a review; offered by every strategy that has one. */
export const reviewTool = tool(REVIEW_TOOL, 'Answer a review, where one is asked for.', {
  accept: { type: 'boolean', description: 'True when nothing has to change.' },
  summary: { type: 'string', description: 'Two to four sentences for the requester; when not accepted, what has to change.' },
});

/** How a call of another tool is answered where a review was asked for. */
export const NOT_A_REVIEW = 'Not run: a review was asked for.';

/** The model's judgement of a verified script. A reply without one leaves it to verification. */
export function reviewAsk(of: AskFrame): AskSpec {
  return {
    ...of,
    instruction:
      'The script was verified as shown above. Judge it against the request and call review(accept, summary) once: accept is true only when verification passed and the result answers the request. A version that a person made stands: judge that one and keep their change.',
    parse: (reply): Json => ({ accept: reviewOf(reply)?.accept ?? true }),
  };
}
