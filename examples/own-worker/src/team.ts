/** Who pays: a header that goes from the client through workflows and their children to every activity, those of nl2code among them. */
import type { Headers } from '@temporalio/common';
import { defaultPayloadConverter } from '@temporalio/common';

const HEADER = 'team';

export function withTeam(headers: Headers, team: string): Headers {
  return { ...headers, [HEADER]: defaultPayloadConverter.toPayload(team) };
}

export function teamOf(headers: Headers): string {
  const payload = headers[HEADER];
  return payload ? defaultPayloadConverter.fromPayload<string>(payload) : 'unknown';
}
