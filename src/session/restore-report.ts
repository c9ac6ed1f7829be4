/** A variable that could neither be restored nor computed again. Hostile text. */
export interface LostVariable {
  name: string;
  type: string;
  /** The cell after which it is missing; null when that is not known. */
  cell: number | null;
  /** A whole sentence: what was lost, why, and how to make it again. Empty where that may not be shown. */
  message: string;
}

/** What a kernel that had to be started again brought back, as the guest reports it. Hostile text. */
export interface RestoreReport {
  /** The cell whose state came back. */
  head: number;
  /** How many variables came back. */
  variables: number;
  /** Variables that were computed again, since they can't be saved. */
  recomputed: string[];
  /** Those of them that nobody can say are what they were. */
  unproved: string[];
  lost: LostVariable[];
  /** What else is not as it was, in sentences. */
  notes: string[];
  ms: number;
}

/** How the state after a cell is kept: on disk, on its way there, or in memory alone. */
export type Saved = 'local' | 'pending' | 'none';

/** A cell that ran again because its saved state was gone, and whether it showed what it had shown. */
export interface CaughtUp {
  k: number;
  same: boolean;
}

/** Whether all came back as it was, so that nobody who goes on has to know. Pure. */
export const isWhole = ({ unproved, lost, notes }: RestoreReport): boolean => unproved.length + lost.length + notes.length === 0;
