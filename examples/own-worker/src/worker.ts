import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { createNl2codeClient, Nl2codePlugin } from 'temporal-nl2code';
import { createReportActivities } from './activities.js';
import { accountingInterceptor } from './activity-interceptors.js';
import { DATA_DIR, REPORTS_DIR, TASK_QUEUE } from './settings.js';
import { createReportTools } from './tools.js';

const module = (name: string) => fileURLToPath(new URL(name, import.meta.url));

const connection = await NativeConnection.connect({ address: process.env.TEMPORAL_ADDRESS ?? 'localhost:7233' });
try {
  const nl2code = createNl2codeClient(new Client({ connection }), { dataDir: DATA_DIR, taskQueue: TASK_QUEUE });
  const worker = await Worker.create({
    connection,
    taskQueue: TASK_QUEUE,
    workflowsPath: module('./workflows.js'),
    activities: createReportActivities(nl2code, REPORTS_DIR),
    interceptors: {
      activity: [accountingInterceptor(({ team, activity, ms }) => console.log(`${team}: ${activity} took ${ms} ms`))],
      workflowModules: [module('./workflow-interceptors.js')],
    },
    plugins: [new Nl2codePlugin({ dataDir: DATA_DIR, tools: createReportTools(REPORTS_DIR) })],
  });
  // Ends on SIGINT and SIGTERM; sessions go on where they were when a worker is back.
  await worker.run();
} finally {
  await connection.close();
}
