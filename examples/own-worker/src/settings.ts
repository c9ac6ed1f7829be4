/** What worker, client and tests agree on. */
export const TASK_QUEUE = 'reports';

/** Sessions are kept here. The worker and every client of sessions need the same folder. */
export const DATA_DIR = process.env.NL2CODE_DATA_DIR ?? './nl2code-data';

/** Where reports are published. */
export const REPORTS_DIR = './reports';
