import type { ModelReply } from '../model/endpoint.js';
import type { Ending } from '../session/step.js';

/** Why a reply ended before it was whole, in the endpoint's own words for it; undefined for one that is whole. Pure. */
export function endingOf(reply: Pick<ModelReply, 'finishReason'>): Ending | undefined {
  return Object.hasOwn(ENDINGS, reply.finishReason) ? ENDINGS[reply.finishReason] : undefined;
}

const ENDINGS: Record<string, Ending> = { length: 'length', max_tokens: 'length', content_filter: 'filter', refusal: 'refusal' };

/** What the model is told of such a reply before it is asked again; nothing where it ended on its own. */
export const endingText: Record<Ending, string> = {
  length: 'Your reply reached its limit of tokens and was cut there: write less in one reply, a long file in parts.',
  filter: "Your reply was withheld by the endpoint's content filter: say it otherwise.",
  refusal: '',
};

/** What is wrong with the arguments of a call that are no JSON object: most often the reply was cut in their middle. */
export function argumentsProblem(reply: ModelReply): string {
  const ending = endingOf(reply);
  return ['The arguments are not a JSON object.', ending ? endingText[ending] : ''].filter(Boolean).join(' ');
}
