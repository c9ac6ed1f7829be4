import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { toActivityFailure, type Nl2codeClient, type Request, type RequestOptions } from 'temporal-nl2code';

export interface ReportActivities {
  prepareReport(session: string, month: string): Promise<Request>;
  publishReport(session: string): Promise<string>;
}

/** Activities of ours. They run in the worker, so they may touch files and the store of sessions. */
export function createReportActivities(nl2code: Nl2codeClient<RequestOptions>, folder: string): ReportActivities {
  return {
    /** Gets the data of a month and admits the request: inputs are checked, and copied into the session. */
    async prepareReport(session, month) {
      try {
        const sales = await exportSales(folder, month);
        return await nl2code.admit(session, {
          prompt: `Write the revenue per region of ${month}, largest first, to revenue.csv`,
          inputs: [sales],
          outputs: ['revenue.csv'],
          // Code may compare with what was published before; see tools.ts.
          tools: ['published_revenue'],
          budget: { maxSteps: 30 },
        });
      } catch (error) {
        // A refusal is not repeated by Temporal, an endpoint that is away is.
        throw toActivityFailure(error);
      }
    },

    /** Puts what was verified where others find it. Files of a session come from generated code: check what you do with them. */
    async publishReport(session) {
      const result = nl2code.get(session);
      const table = result?.artifacts.find(({ path }) => path === 'revenue.csv');
      if (result?.status !== 'verified' || !table) throw toActivityFailure(new Error(`Session ${session} has no verified revenue.csv.`));
      const published = join(resolve(folder), `${session}.csv`);
      await writeFile(published, nl2code.bytes(session, table.sha256));
      return published;
    },
  };
}

/** Stands in for a query of your warehouse. */
async function exportSales(folder: string, month: string): Promise<string> {
  await mkdir(join(folder, month), { recursive: true });
  const path = join(folder, month, 'sales.csv');
  await copyFile(new URL('../../data/sales.csv', import.meta.url), path);
  return path;
}
