import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Tool } from 'temporal-nl2code';

/** Functions of ours that generated code may call in a session, as `nl2code.tools.published_revenue(month="2026-09")`. They run in the worker. */
export function createReportTools(folder: string): Tool[] {
  return [
    {
      name: 'published_revenue',
      description: 'The revenue per region that was published for a month, as CSV text; None for a month without a report.',
      parameters: { type: 'object', properties: { month: { type: 'string', pattern: '^\\d{4}-\\d{2}$', description: 'Such as 2026-09.' } }, required: ['month'] },
      // It changes nothing, so it may run again.
      idempotency: 'key',
      async run({ month }) {
        // The pattern keeps what code hands over from leaving the folder.
        return await readFile(join(folder, `revenue-${String(month)}.csv`), 'utf8').catch(() => null);
      },
    },
  ];
}
