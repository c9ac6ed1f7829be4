import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Client } from '@temporalio/client';
import { historyFromJSON, historyToJSON } from '@temporalio/common/lib/proto-utils.js';

/** Recorded histories: `<name>.<run>.json`, replayed for ever. */
export const HISTORIES = fileURLToPath(new URL('../histories', import.meta.url));

/** Writes every run of a session to test/histories. Only `npm run histories` does so. */
export async function recordHistories(client: Client, name: string, session: string): Promise<void> {
  mkdirSync(HISTORIES, { recursive: true });
  let runId: string | undefined = (await client.workflow.getHandle(session).describe()).raw.workflowExecutionInfo!.firstRunId ?? undefined;
  for (let run = 1; runId; run += 1) {
    const history = await client.workflow.getHandle(session, runId).fetchHistory();
    writeFileSync(join(HISTORIES, `${name}.${run}.json`), `${JSON.stringify(JSON.parse(historyToJSON(history)), withoutPlace)}\n`);
    runId = history.events!.at(-1)!.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? undefined;
  }
}

/** Which machine recorded it is nobody's business, and replay does not look. */
const withoutPlace = (key: string, value: unknown): unknown => (key === 'identity' ? 'recorded' : value);

/** All recorded histories. */
export function readHistories(): { name: string; history: unknown }[] {
  return readdirSync(HISTORIES)
    .filter((file) => file.endsWith('.json'))
    .map((file) => ({ name: file.replace(/\.json$/, ''), history: historyFromJSON(JSON.parse(readFileSync(join(HISTORIES, file), 'utf8'))) }));
}
