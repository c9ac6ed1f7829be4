import { executeChild, proxyActivities } from '@temporalio/workflow';
import { nl2codeWorkflow, type Status } from 'temporal-nl2code/workflow';
import type { ReportActivities } from './activities.js';

// The worker finds nl2code's workflow here, beside ours.
export * from 'temporal-nl2code/workflow';

const { prepareReport, publishReport } = proxyActivities<ReportActivities>({ startToCloseTimeout: '5 minutes' });

export interface Report {
  session: string;
  status: Status;
  /** Where the table was published; null unless the status is `verified`. */
  published: string | null;
  why: string | null;
}

/** A workflow of ours: gets data, lets nl2code write and verify a script, and publishes only what was verified. */
export async function monthlyReport(month: string): Promise<Report> {
  const session = `revenue-${month}`;
  const request = await prepareReport(session, month);
  // The child's id is the session's. A short task time-out lets another worker take over within seconds.
  const { verdict } = await executeChild(nl2codeWorkflow, { workflowId: session, args: [{ request }], workflowTaskTimeout: '5s' });
  if (verdict.status !== 'verified') return { session, status: verdict.status, published: null, why: verdict.reason ?? null };
  return { session, status: 'verified', published: await publishReport(session), why: null };
}
