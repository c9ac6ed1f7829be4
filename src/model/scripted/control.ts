import { Nl2codeError } from '../../session/error-table.js';
import type { PlaybookReport } from './report.js';
import type { Fault } from './fault.js';

/**
 * Asks a scripted model whether it has a playbook, before anything starts. Throws `playbook-mismatch` when not; does
 * network I/O.
 */
export async function checkPlayable(baseUrl: string, request: { prompt: string; strategy: string }): Promise<void> {
  const response = await control(baseUrl, 'match', { prompt: request.prompt, strategy: request.strategy });
  if (response.ok) return;
  throw new Nl2codeError('playbook-mismatch', 'No playbook is written for this request and strategy.');
}

/** What the scripted model was asked so far; tests fail on what it says. */
export async function playbookReport(baseUrl: string): Promise<PlaybookReport> {
  return (await (await control(baseUrl, 'report')).json()) as PlaybookReport;
}

/** Makes the next replies of a scripted model fail. */
export async function injectFault(baseUrl: string, fault: Pick<Fault, 'kind'> & Partial<Fault>): Promise<void> {
  const response = await control(baseUrl, 'faults', fault);
  if (!response.ok) throw new TypeError(`the scripted model takes no such fault: ${await response.text()}`);
}

/** Forgets counts and waiting faults. */
export async function resetPlaybooks(baseUrl: string): Promise<void> {
  await control(baseUrl, 'reset', {});
}

async function control(baseUrl: string, what: string, body?: unknown): Promise<Response> {
  const url = new URL(`/playbooks/${what}`, baseUrl);
  try {
    return await fetch(url, {
      ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    });
  } catch (error) {
    throw new Nl2codeError('model-unreachable', `The scripted model at ${url.host} does not answer.`, { cause: error });
  }
}
