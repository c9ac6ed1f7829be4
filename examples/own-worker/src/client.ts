/** `npm run report -- 2026-10`: asks for a month's report and waits for it. */
import { Client, Connection } from '@temporalio/client';
import { createNl2codeClient } from 'temporal-nl2code';
import { teamInterceptor } from './client-interceptors.js';
import { DATA_DIR, TASK_QUEUE } from './settings.js';
import type { monthlyReport } from './workflows.js';

const month = process.argv[2] ?? '2026-10';
const connection = await Connection.connect({ address: process.env.TEMPORAL_ADDRESS ?? 'localhost:7233' });
try {
  const client = new Client({ connection, interceptors: { workflow: [teamInterceptor('sales')] } });
  const report = await client.workflow.execute<typeof monthlyReport>('monthlyReport', { workflowId: `report-${month}`, taskQueue: TASK_QUEUE, args: [month] });
  console.log(report);
  const result = createNl2codeClient(client, { dataDir: DATA_DIR, taskQueue: TASK_QUEUE }).get(report.session);
  if (result) console.log(`${result.status} (${result.statement}); ${result.steps} steps, ${result.spent.promptTokens + result.spent.completionTokens} tokens\n${result.script ?? ''}`);
} finally {
  await connection.close();
}
