import type { SentRequest } from '../store/sent.js';
import { clean } from './clean.js';

/** Requests as a person reads them: of each, the messages that none before it had sent. Pure. */
export function sentText(requests: readonly SentRequest[]): string {
  if (requests.length === 0) return 'Nothing has been sent to a model.';
  return requests
    .map(({ seq, ask, model, at, tools, messages, before }) => {
      const names = (Array.isArray(tools) ? tools : []).map((tool) => (tool as { name?: string }).name ?? '?');
      const title = `── step ${seq}, ${ask} to ${model}, ${new Date(at).toISOString()} · ${messages.length} messages${before > 0 ? `, ${before} of them sent before` : ''} · tools ${names.join(', ') || 'none'}`;
      const rest = messages.slice(before).map(({ role, content, calls }) => [`[${role}]`, content, ...(Array.isArray(calls) ? calls : []).map((call) => `→ ${(call as { name: string }).name} ${(call as { arguments: string }).arguments}`)].filter(Boolean).join('\n'));
      return clean([title, ...rest].join('\n'));
    })
    .join('\n\n');
}
