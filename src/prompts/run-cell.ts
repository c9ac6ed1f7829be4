import { tool } from './ask.js';

/** Runs code in the session's live kernel. */
export const runCell = tool('run_cell', 'Run one cell of Python in the session. Variables stay; the value of the last expression and what is printed come back. %%writefile NAME as the first line writes the rest to a file.', { code: { type: 'string', description: 'The source of the cell.' } });
