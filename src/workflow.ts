/** The workflow-safe door: re-export it from your own workflows module. Imports nothing that a workflow may not. */
export { nl2codeWorkflow, type Nl2codeInput, type Nl2codeResult } from './workflows/nl2code.js';
export { decideSignal, decideUpdate, followUpUpdate, snapshotQuery, stopSignal, type DecideInput, type Snapshot } from './workflows/messages.js';
export type { Request } from './session/request.js';
export type { Status, Verdict } from './session/verdict.js';
