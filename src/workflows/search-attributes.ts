import { defineSearchAttributeKey, type SearchAttributePair } from '@temporalio/common';
import type { Request } from '../session/request.js';
import type { Status } from '../session/verdict.js';

/** What people filter sessions by in Temporal's own tools. Optional: a run uses those that its start carried, and no others. */
export const STATUS = defineSearchAttributeKey('Nl2codeStatus', 'KEYWORD');
export const STRATEGY = defineSearchAttributeKey('Nl2codeStrategy', 'KEYWORD');
/** Labels as `key=value`. */
export const LABELS = defineSearchAttributeKey('Nl2codeLabels', 'KEYWORD_LIST');
/** US dollars of the request that runs, or ran last, as of its last change of status. */
export const COST = defineSearchAttributeKey('Nl2codeCostUsd', 'DOUBLE');

/** What `STATUS` says: a verdict, or where the open request stands. */
export type RunStatus = Status | 'running' | 'waiting';

/** The server refuses a value of more than 2 KB, and databases behind it a keyword of more than 255 characters. */
const MAX_LABELS_BYTES = 1500;
const MAX_LABEL_CHARS = 255;

/** The attributes of a request that begins. Pure. */
export function beginning({ strategy, labels }: Request): SearchAttributePair[] {
  return [
    { key: STATUS, value: 'running' satisfies RunStatus },
    { key: STRATEGY, value: strategy },
    { key: LABELS, value: labelTexts(labels) },
    { key: COST, value: 0 },
  ];
}

/** A request's labels as keywords; what is too long for one, or too much, is left out. */
function labelTexts(labels: Record<string, string> | undefined): string[] {
  let bytes = 0;
  return Object.entries(labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .filter((text) => text.length <= MAX_LABEL_CHARS && (bytes += new TextEncoder().encode(JSON.stringify(text)).length) <= MAX_LABELS_BYTES);
}
