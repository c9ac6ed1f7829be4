import type { Hash } from './json.js';

/** What a follow-up's script changed against the last request of its session that was verified. Text in it is hostile. */
export interface Changes {
  /** Id of that request. */
  against: string;
  script: ScriptChange;
  /** One entry a file, in order of path; null when they could not be compared, `problem` says why. */
  outputs: OutputChange[] | null;
  problem?: string;
}

/** How the script differs from the earlier one. */
export interface ScriptChange {
  /** Blob of the earlier script. */
  before: Hash;
  added: number;
  removed: number;
  /** Unified diff, bounded; empty when the scripts are equal. */
  diff: string;
}

/** How one output differs: `values` of a JSON document, `text` by lines, `file` by bytes; `unread` could not be compared. */
export interface OutputChange {
  path: string;
  kind: 'same' | 'new' | 'gone' | 'table' | 'values' | 'text' | 'image' | 'file' | 'unread';
  detail?: string | undefined;
  table?: TableChange | undefined;
  values?: { at: string; before: string | null; after: string | null }[] | undefined;
  /** Lines that left and came. */
  lines?: [number, number] | undefined;
}

/** A table's change in numbers. Pairs are before and after. */
export interface TableChange {
  rows: [number, number];
  /** Columns the rows were matched by; empty: whole rows. */
  key: string[];
  left: number;
  came: number;
  /** Rows that stayed and hold another value in a column of both tables. */
  changed: number;
  /** The same rows, in another order. */
  moved: boolean;
  /** Changed rows by column. */
  cells: [string, number][];
  added: string[];
  removed: string[];
  totals: { column: string; before: number; after: number }[];
  groups: { column: string; values: [string, number, number][] }[];
  /** Columns beyond those told. */
  more?: number | undefined;
}
